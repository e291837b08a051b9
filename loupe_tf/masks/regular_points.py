"""Points on a regular grid, with a shift from row to row."""

import numpy as np

from loupe_tf.checks import check_integer, invalid
from loupe_tf.masks.budget import (
    calibration_region,
    check_pair,
    standardize_shape,
)
from loupe_tf.masks.patterns import default_calibration
from loupe_tf.masks.sampling_mask import SamplingMask


def regular_points(shape, spacing, shift=0, calibration=None):
    """Acquire points of a regular grid through DC, and the central ones.

    These are the points of 2D CAIPIRINHA for a 3-D scan with several coils
    (Breuer et al., "Controlled aliasing in volumetric parallel imaging", MRM
    55, 2006). Each `dy`-th row of k-space is acquired, each `dx`-th point of
    it, and from one acquired row to the next the points move by `shift`. The
    shift moves the aliases apart, so that the sensitivity maps separate them
    better; with 0, the points lie on a rectangular grid. The calibration region
    is added to the grid. So the acceleration follows from the arguments, as for
    `regular_lines`: about `dy * dx`, and less with a calibration region.

    Args:
        shape: Shape `(H, W)` of k-space.
        spacing: Pair `(dy, dx)` of positive integers, the distance of two rows
            and of two points of a row. Their product must be at least 2.
        shift: Integer from 0 to `dx - 1`, in points along a row.
        calibration: Integer, the side of the square in the centre that is
            added, or a pair `(h, w)`; 0 for none. `None`, the default, means
            `default_calibration` for `R` equal to `dy * dx`.

    Returns:
        A `SamplingMask` of shape `(H, W)`, whose acceleration is the achieved
        one.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> regular_points((5, 8), (2, 2), shift=1, calibration=0).array.astype(int)
    array([[0, 1, 0, 1, 0, 1, 0, 1],
           [0, 0, 0, 0, 0, 0, 0, 0],
           [1, 0, 1, 0, 1, 0, 1, 0],
           [0, 0, 0, 0, 0, 0, 0, 0],
           [0, 1, 0, 1, 0, 1, 0, 1]])
    """
    shape = standardize_shape(shape)
    expected = "a pair of positive integers whose product is at least 2"
    dy, dx = check_pair("spacing", spacing, expected, check_integer, at_least=1)
    if dy * dx < 2:
        raise invalid("spacing", expected, spacing)
    shift = check_integer("shift", shift, at_least=0)
    if shift >= dx:
        raise invalid(
            "shift",
            f"an integer below {dx}, the distance of two points of a row",
            shift,
        )
    if calibration is None:
        calibration = default_calibration(shape, dy * dx)
    rows, columns = (np.arange(n) - n // 2 for n in shape)
    rows, columns = rows[:, None], columns[None, :]
    grid = (rows % dy == 0) & ((columns - shift * (rows // dy)) % dx == 0)
    return SamplingMask(
        grid | calibration_region(shape, calibration),
        calibration=calibration,
        provenance={
            "pattern": "regular_points",
            "spacing": [dy, dx],
            "shift": shift,
        },
    )
