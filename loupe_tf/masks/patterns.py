"""Fixed patterns to compare learned masks with."""

import numpy as np

from loupe_tf.checks import check_choice, check_integer, check_number
from loupe_tf.masks.binarize import binarize
from loupe_tf.masks.budget import (
    budget,
    calibration_region,
    standardize_shape,
)
from loupe_tf.masks.generator import generator
from loupe_tf.masks.sampling_mask import SamplingMask

CALIBRATION_SHARE = 0.32
"""Share of the budget of lines that fastMRI acquires in the centre."""


def uniform_random(shape, acceleration, calibration=None, seed=0):
    """Acquire entries at random, all with the same probability.

    Args:
        shape: `(H, W)` for points; `(1, W)` or `(H, 1)` gives lines.
        acceleration: Real number `R` greater than 1.
        calibration: `None`, an integer or, for points, `(h, w)`: the centre
            that is always acquired, inside the budget.
        seed: Non-negative integer. The same seed gives the same mask.

    Returns:
        A `SamplingMask` of exactly `round(N / R)` entries.

    Raises:
        ValueError: If an argument is invalid, or if the calibration region
            exceeds the budget.
    """
    shape = standardize_shape(shape)
    array = binarize(generator(seed).random(shape), acceleration, calibration)
    return SamplingMask(
        array,
        acceleration,
        calibration,
        provenance={"pattern": "uniform_random", "seed": int(seed)},
    )


def gaussian(shape, acceleration, calibration=None, std=0.4, seed=0):
    """Acquire entries at random, more densely towards DC.

    Entries are drawn one after another, without replacement, with
    probabilities proportional to `w = exp(-d^2 / (2 std^2))`, where `d` is the
    distance from DC. The function takes the largest `log(w) + G` instead, with
    standard Gumbel noise `G` (Efraimidis and Spirakis, 2006, in logarithms).
    This is equivalent, and exact however small the weights are.

    The default `std` is the one that was chosen for total variation with one
    coil on each of five patients (FLAIR, 64×64, R = 4). With four coils and a
    peak SNR of 200, 0.6 was chosen, the largest that was tried, and gained
    1.1 dB in PSNR (docs/results/mask_transfer.md, "Tuned rivals").

    Args:
        shape: `(H, W)` for points; `(1, W)` or `(H, 1)` gives lines.
        acceleration: Real number `R` greater than 1.
        calibration: `None`, an integer or, for points, `(h, w)`: the centre
            that is always acquired, inside the budget.
        std: Positive float, the standard deviation as a fraction of half the
            width (and of half the height) of k-space.
        seed: Non-negative integer. The same seed gives the same mask.

    Returns:
        A `SamplingMask` of exactly `round(N / R)` entries.

    Raises:
        ValueError: If an argument is invalid, or if the calibration region
            exceeds the budget.
    """
    shape = standardize_shape(shape)
    std = check_number("std", std, above=0)
    log_weight = -0.5 * (distance_from_dc(shape) / std) ** 2
    noise = generator(seed).gumbel(size=shape)
    array = binarize(log_weight + noise, acceleration, calibration)
    return SamplingMask(
        array,
        acceleration,
        calibration,
        provenance={
            "pattern": "gaussian",
            "std": std,
            "seed": int(seed),
        },
    )


def gaussian_lines(
    shape, acceleration, calibration=None, std=0.4, lines="columns", seed=0
):
    """Acquire the central lines, and others more densely towards DC.

    These are lines of variable density: those of `gaussian` for whole columns
    or rows.

    Args:
        shape: Shape `(H, W)` of k-space.
        acceleration: Real number `R` greater than 1.
        calibration: Integer, the number of central lines that are always
            acquired, inside the budget; 0 for none. `None`, the default, means
            `default_calibration`: 8 % of all lines at `R = 4`.
        std: Positive float, the standard deviation as a fraction of half the
            width (or height) of k-space.
        lines: `"columns"` or `"rows"`, the kind of lines.
        seed: Non-negative integer. The same seed gives the same mask.

    Returns:
        A `SamplingMask` of shape `(1, W)` or `(H, 1)`, of exactly
        `round(N / R)` of the `N` lines.

    Raises:
        ValueError: If an argument is invalid, or if the calibration region
            exceeds the budget.
    """
    matrix = standardize_shape(shape)
    shape = lines_shape(matrix, lines)
    if calibration is None:
        calibration = default_calibration(matrix, acceleration, lines)
    mask = gaussian(shape, acceleration, calibration, std, seed)
    provenance = {**mask.provenance, "pattern": "gaussian_lines"}
    return mask.replace(provenance=provenance, matrix=matrix)


def random_lines(
    shape, acceleration, calibration=None, lines="columns", seed=0
):
    """Acquire the central lines, and others at random.

    This is the random pattern of the fastMRI data set with one difference:
    fastMRI's number of lines is itself random and correct only on average,
    while here it is exact.

    Args:
        shape: Shape `(H, W)` of k-space.
        acceleration: Real number `R` greater than 1.
        calibration: Integer, the number of central lines that are always
            acquired, inside the budget; 0 for none. `None`, the default, means
            `default_calibration`: 8 % of all lines at `R = 4`.
        lines: `"columns"` or `"rows"`, the kind of lines.
        seed: Non-negative integer. The same seed gives the same mask.

    Returns:
        A `SamplingMask` of shape `(1, W)` or `(H, 1)`, of exactly
        `round(N / R)` of the `N` lines.

    Raises:
        ValueError: If an argument is invalid, or if the calibration region
            exceeds the budget.
    """
    matrix = standardize_shape(shape)
    shape = lines_shape(matrix, lines)
    if calibration is None:
        calibration = default_calibration(matrix, acceleration, lines)
    array = binarize(generator(seed).random(shape), acceleration, calibration)
    return SamplingMask(
        array,
        acceleration,
        calibration,
        provenance={"pattern": "random_lines", "seed": int(seed)},
        matrix=matrix,
    )


def equispaced_lines(
    shape, acceleration, calibration=None, lines="columns", seed=0
):
    """Acquire the central lines, and others at equal distances.

    This is the equispaced pattern of the fastMRI data set, except that the
    number of lines is exact here. The `f` lines outside the calibration region
    are counted as if the region were not there. Lines `(o + i * f) // k` of
    them are acquired, for `i = 0, ..., k - 1`. Here `k` is the budget left by
    the calibration region, and the offset `o` is drawn from `0, ..., f - 1`.
    Distances differ by one if `k` does not divide `f`.

    Args:
        shape: Shape `(H, W)` of k-space.
        acceleration: Real number `R` greater than 1.
        calibration: Integer, the number of central lines that are always
            acquired, inside the budget; 0 for none. `None`, the default, means
            `default_calibration`: 8 % of all lines at `R = 4`.
        lines: `"columns"` or `"rows"`, the kind of lines.
        seed: Non-negative integer, the seed for the offset.

    Returns:
        A `SamplingMask` of shape `(1, W)` or `(H, 1)`, of exactly
        `round(N / R)` of the `N` lines.

    Raises:
        ValueError: If an argument is invalid, or if the calibration region
            exceeds the budget.
    """
    matrix = standardize_shape(shape)
    shape = lines_shape(matrix, lines)
    if calibration is None:
        calibration = default_calibration(matrix, acceleration, lines)
    free = np.flatnonzero(~calibration_region(shape, calibration))
    number = budget(max(shape), acceleration) - (max(shape) - free.size)
    offset = generator(seed).integers(max(free.size, 1))
    chosen = np.zeros(shape)
    if number > 0:
        steps = offset + np.arange(number) * free.size
        chosen.flat[free[steps // number]] = 1
    array = binarize(chosen, acceleration, calibration)
    return SamplingMask(
        array,
        acceleration,
        calibration,
        provenance={
            "pattern": "equispaced_lines",
            "offset": int(offset),
            "seed": int(seed),
        },
        matrix=matrix,
    )


def regular_lines(shape, spacing, calibration=None, lines="columns"):
    """Acquire each n-th line from DC on, and the central lines.

    These are the lines of GRAPPA on a scanner: an integer spacing, with the
    calibration region added. The acceleration follows from both, while
    `equispaced_lines` keeps a given one by distances that differ.

    Args:
        shape: Shape `(H, W)` of k-space.
        spacing: Integer greater than 1, the distance of two lines.
        calibration: Integer, the number of central lines that are added; 0 for
            none. `None`, the default, means `default_calibration` for `R` equal
            to the spacing.
        lines: `"columns"` or `"rows"`, the kind of lines.

    Returns:
        A `SamplingMask` of shape `(1, W)` or `(H, 1)`, whose acceleration is
        the achieved one.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> regular_lines((8, 12), 3, calibration=3).array.astype(int)
    array([[1, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0, 0]])
    """
    matrix = standardize_shape(shape)
    shape = lines_shape(matrix, lines)
    spacing = check_integer("spacing", spacing, at_least=2)
    if calibration is None:
        calibration = default_calibration(matrix, spacing, lines)
    size = max(shape)
    regular = (np.arange(size) - size // 2) % spacing == 0
    return SamplingMask(
        regular.reshape(shape) | calibration_region(shape, calibration),
        calibration=calibration,
        provenance={"pattern": "regular_lines", "spacing": spacing},
        matrix=matrix,
    )


def central_lines(
    shape, acceleration, calibration=None, lines="columns", seed=0
):
    """Acquire the lines nearest to DC, and no others.

    An image of low resolution without aliasing: the mask that every other one
    should be compared with.

    Args:
        shape: Shape `(H, W)` of k-space.
        acceleration: Real number `R` greater than 1.
        calibration: Integer, the number of central lines of the calibration
            region, all of which the mask acquires; 0 for none. `None`, the
            default, means `default_calibration`.
        lines: `"columns"` or `"rows"`, the kind of lines.
        seed: Integer, which changes nothing: the mask is not random.

    Returns:
        A `SamplingMask` of shape `(1, W)` or `(H, 1)`, of exactly
        `round(N / R)` of the `N` lines. If their number is even, the one more
        lies on the side of lower indices.

    Raises:
        ValueError: If an argument is invalid, or if the calibration region
            exceeds the budget.

    Example:

    >>> central_lines((8, 8), acceleration=2).array.astype(int)
    array([[0, 0, 1, 1, 1, 1, 0, 0]])
    """
    matrix = standardize_shape(shape)
    shape = lines_shape(matrix, lines)
    if calibration is None:
        calibration = default_calibration(matrix, acceleration, lines)
    size = max(shape)
    distance = np.abs(np.arange(size) - size // 2).reshape(shape)
    return SamplingMask(
        binarize(-distance, acceleration, calibration),
        acceleration,
        calibration,
        provenance={"pattern": "central_lines", "seed": int(seed)},
        matrix=matrix,
    )


def central_points(shape, acceleration, calibration=None, seed=0):
    """Acquire the points nearest to DC, and no others.

    The distance is relative to the width and the height of k-space, so the
    points fill an ellipse. An image of low resolution without aliasing: the
    mask that every other one of points should be compared with.

    Args:
        shape: Shape `(H, W)` of k-space.
        acceleration: Real number `R` greater than 1.
        calibration: Integer, the side of the square calibration region, all of
            which the mask acquires, or a pair `(h, w)`; 0 for none. `None`, the
            default, means `default_calibration`.
        seed: Integer, which changes nothing: the mask is not random.

    Returns:
        A `SamplingMask` of shape `(H, W)`, of exactly `round(N / R)` of the `N`
        points.

    Raises:
        ValueError: If an argument is invalid, or if the calibration region
            exceeds the budget.

    Example:

    >>> central_points((5, 5), acceleration=5).array.astype(int)
    array([[0, 0, 0, 0, 0],
           [0, 0, 1, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 1, 0, 0],
           [0, 0, 0, 0, 0]])
    """
    shape = standardize_shape(shape)
    if calibration is None:
        calibration = default_calibration(shape, acceleration)
    return SamplingMask(
        binarize(-distance_from_dc(shape), acceleration, calibration),
        acceleration,
        calibration,
        provenance={"pattern": "central_points", "seed": int(seed)},
    )


def lines_shape(shape, lines):
    """Return the shape of a mask of lines: `(1, W)` or `(H, 1)`."""
    height, width = standardize_shape(shape)
    check_choice("lines", lines, ("columns", "rows"))
    return (1, width) if lines == "columns" else (height, 1)


def distance_from_dc(shape):
    """Return the distance of each entry from DC.

    It is relative to half the width and half the height.
    """
    rows, columns = ((np.arange(n) - n // 2) / (n / 2) for n in shape)
    return np.hypot(rows[:, None], columns[None, :])


def default_calibration(shape, acceleration, lines=None):
    """Return fastMRI's number of central lines, `0.32 / R` of all lines.

    That is 8 % at R = 4 and 4 % at R = 8 (Zbontar et al., arXiv:1811.08839,
    2018). For points, the number is the side of a square, and the share is
    taken of the smaller side of k-space.

    Args:
        shape: Shape `(H, W)` of k-space.
        acceleration: Real number R greater than 1.
        lines: `"columns"` or `"rows"` for a mask of lines; `None` for points;
            `"both"` for points where rows and columns meet.

    Returns:
        An integer, the number of central lines.

    Raises:
        ValueError: If `acceleration` is not above 1 or leaves nothing to
            acquire, or if `lines` has another value.
    """
    height, width = standardize_shape(shape)
    check_choice("lines", lines, (None, "columns", "rows", "both"))
    length = {"columns": width, "rows": height}.get(lines)
    budget(length or height * width, acceleration)  # Checks `acceleration`.
    length = length or min(height, width)
    return round(CALIBRATION_SHARE / acceleration * length)
