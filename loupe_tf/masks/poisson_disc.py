"""The Poisson disc pattern."""

import math

import numpy as np

from loupe_tf.checks import check_number, invalid
from loupe_tf.masks.binarize import binarize
from loupe_tf.masks.budget import budget, calibration_region, standardize_shape
from loupe_tf.masks.generator import generator
from loupe_tf.masks.patterns import distance_from_dc
from loupe_tf.masks.sampling_mask import SamplingMask


def poisson_disc(
    shape, acceleration, calibration=None, growth=1.0, seed=0, corners=True
):
    """Acquire entries at random, with a minimum distance between them.

    Every entry `x` has a radius `r(x) = radius * (1 + growth * d(x))`, where
    `d` is the distance from DC as a fraction of half the width and height. Two
    entries `x` and `y` outside the calibration region are both acquired only
    if they are at least `min(r(x), r(y))` apart.

    Darts are thrown at all entries in random order. A dart sticks if it does
    not hit the disc of an earlier one. After each round, `radius` shrinks by
    5 % and the remaining darts are thrown again, until the budget is met
    exactly (McCool and Fiume, 1992, "Hierarchical Poisson disk sampling
    distributions"). This leaves smaller holes than a single round at the final
    radius. The provenance holds the final radius.

    Distances on a grid take few values (1, 1.41, 2, 2.24, ...), so the density
    falls from the centre in steps. They are visible where the radius is small.

    The defaults are not tuned. For total variation with one coil, `growth` of
    2 to 8 with `corners=False` was chosen on each of five patients (FLAIR,
    64×64, R = 4), and gained 1.0 dB in PSNR over the defaults;
    `growth=4, corners=False` is the middle one. With four coils, `growth` of 0
    or 1 was chosen, and the gain was 0.5 dB or less: keep the defaults
    (docs/results/mask_transfer.md, "Tuned rivals").

    Args:
        shape: Shape `(H, W)`.
        acceleration: Real number `R` greater than 1.
        calibration: `None`, an integer or `(h, w)`: the centre that is always
            acquired, inside the budget. It has no discs of its own.
        growth: Non-negative float, the relative growth of the radius from DC
            to the edge. With 0 the density is uniform. With 1 the radius is
            twice as large at the edge, and the density there is a quarter.
        seed: Non-negative integer. The same seed gives the same mask.
        corners: Boolean. `False` acquires nothing outside the ellipse that
            touches the edges of k-space, save the calibration region.
            `sigpy.mri.poisson` does so by default (`crop_corner=True`).

    Returns:
        A `SamplingMask` of exactly `round(N / R)` entries.

    Raises:
        ValueError: If an argument is invalid, if the calibration region
            exceeds the budget, or if the budget exceeds the ellipse.
    """
    shape = standardize_shape(shape)
    growth = check_number("growth", growth, at_least=0)
    size = shape[0] * shape[1]
    entries = budget(size, acceleration)
    region = calibration_region(shape, calibration)
    free = entries - int(region.sum())
    distance = distance_from_dc(shape)
    allowed = np.ones(shape, bool) if corners else distance <= 1
    order = generator(seed).permutation(np.flatnonzero(allowed & ~region))
    if free > len(order):
        raise invalid(
            "corners",
            f"True, since the ellipse has fewer than {entries} entries",
            corners,
        )
    profile = 1 + growth * distance
    # Twice the radius at which one round would meet the budget: darts of
    # radius r have a density of about 0.7 / r^2.
    radius = 2 * math.sqrt(0.7 * np.sum(profile[allowed] ** -2) / entries)
    accepted = []
    while True:
        _throw(accepted, order, radius * profile, free)
        if len(accepted) >= free:
            break
        radius *= 0.95
    chosen = np.zeros(shape)
    chosen.flat[accepted] = 1
    array = binarize(chosen, acceleration, calibration)
    return SamplingMask(
        array,
        acceleration,
        calibration,
        provenance={
            "pattern": "poisson_disc",
            "growth": growth,
            "radius": radius,
            "seed": int(seed),
            **({} if corners else {"corners": False}),
        },
    )


def _throw(accepted, order, radii, number):
    """Append darts of `order` that stick to `accepted`, up to `number`."""
    height, width = radii.shape
    # Squared distances are integers. The edge does not belong to a disc, so
    # inside a disc they are at most `reach`. No disc need exceed the mask.
    reach = np.minimum(np.ceil(radii**2) - 1, height**2 + width**2)
    reach = reach.astype(int).ravel().tolist()
    discs = {}
    pad = math.isqrt(max(reach))
    blocked = np.pad(np.zeros(radii.shape, dtype=bool), pad)

    def block(index):
        row, column = divmod(index, width)
        if reach[index] not in discs:
            discs[reach[index]] = _disc(reach[index])
        disc = discs[reach[index]]
        row += pad - len(disc) // 2
        column += pad - len(disc) // 2
        blocked[row : row + len(disc), column : column + len(disc)] |= disc

    for index in accepted:
        block(index)
    for index in order.tolist():
        if len(accepted) >= number:
            return
        row, column = divmod(index, width)
        if not blocked[row + pad, column + pad]:
            accepted.append(index)
            block(index)


def _disc(square):
    """Return a boolean disc of offsets of squared length up to `square`."""
    offsets = np.arange(-math.isqrt(square), math.isqrt(square) + 1)
    return offsets[:, None] ** 2 + offsets[None, :] ** 2 <= square
