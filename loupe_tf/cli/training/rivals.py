"""The fixed masks that a learned one can be compared with, by name."""

import math

import numpy as np

from loupe_tf import masks
from loupe_tf.checks import invalid
from loupe_tf.masks.patterns import distance_from_dc, lines_shape

CENTRAL = {"lines": "central_lines", "points": "central_points"}
"""As many lines or points around DC give images of low resolution."""

FOR_COILS = {"lines": "equispaced_lines", "points": "poisson_disc"}
"""Central points are no rival with several coils: nobody scans with them."""

EASY = (*CENTRAL.values(), "gaussian", "uniform_random", "random_lines")

REGULAR = {"lines": "regular_lines", "points": "regular_points"}
"""Their distances are integers, so they are none of `masks.PATTERNS`."""

SPARSEST = 64
"""The largest R of a regular grid that is tried."""


def rivals_of(kind):
    """The names of the patterns, those that were added too.

    Args:
        kind: `"points"` or `"lines"`.
    """
    names = [
        name
        for name, pattern in masks.PATTERNS.items()
        if pattern.of_lines == (kind == "lines") and not pattern.of_images
    ]
    return [*names, REGULAR[kind]]


def make_rival(pattern, shape, acceleration, calibration, lines, seed):
    """Make the fixed mask.

    Args:
        pattern: String, one of `rivals_of("points")` or `rivals_of("lines")`.
        shape: Tuple `(H, W)`.
        acceleration: Float R.
        calibration: Integer, lines or the side of the square in the centre.
        lines: `"columns"` or `"rows"`; `None` for points, and for the default
            of a pattern of lines.
        seed: Integer.

    Returns:
        A `SamplingMask` with the budget of the learned one.

    Raises:
        ValueError: If the pattern refuses an argument.
    """
    if pattern in REGULAR.values():
        lines = lines or ("columns" if pattern in rivals_of("lines") else None)
        return _regular(shape, acceleration, calibration, lines)
    given = {"lines": lines} if lines else {}
    return masks.PATTERNS[pattern].make(
        shape, acceleration, calibration=calibration, seed=seed, **given
    )


def _regular(shape, acceleration, calibration, lines):
    """The densest regular grid in the budget, whose rest lies around DC."""
    size = lines_shape(shape, lines) if lines else tuple(shape)
    count = math.prod(size)
    acquired = masks.budget(count, acceleration)
    for reduction in range(2, SPARSEST + 1):
        if lines:
            grid = masks.regular_lines(shape, reduction, calibration, lines)
        else:
            grid = _caipirinha(shape, reduction, calibration)
        if grid.acquired <= acquired:
            break
    else:
        raise invalid(
            "calibration",
            "a region that leaves more of the budget to a regular grid",
            calibration,
        )
    priority = 10 * grid.array - distance_from_dc(size)
    return grid.replace(
        array=masks.binarize(priority, acceleration, calibration),
        acceleration=acceleration,
    )


def _caipirinha(shape, reduction, calibration):
    """The regular points whose aliases are farthest apart."""
    grids = [
        (rows, reduction // rows, shift)
        for rows in range(1, reduction + 1)
        if reduction % rows == 0
        for shift in range(reduction // rows)
    ]
    rows, columns, shift = max(grids, key=lambda grid: _aliases(shape, *grid))
    return masks.regular_points(shape, (rows, columns), shift, calibration)


def _aliases(shape, rows, columns, shift):
    """The distances of the aliases in pixels, the least first."""
    v = np.arange(columns)[None, :] / columns
    u = (np.arange(rows)[:, None] - shift * v) / rows
    u, v = (share - np.round(share) for share in (u, v))
    distances = np.hypot(shape[0] * u, shape[1] * v)
    return np.sort(distances.ravel()).round(6)[1:].tolist()
