"""How many entries a mask acquires, and which of them it must."""

import math
from numbers import Integral, Real

import numpy as np


def budget(size, acceleration):
    """Exact number of entries that a mask acquires: `round(size / R)`.

    The calibration region counts inside the budget. `round` is Python's: a
    half goes to the even neighbour.

    Args:
        size: Positive integer, the number of entries to choose from: `H * W`
            for points, the number of lines for lines.
        acceleration: Real number `R` greater than 1.

    Returns:
        Integer, between 1 and `size`.

    Raises:
        ValueError: If an argument is invalid, or if `acceleration` is so high
            that nothing would be acquired.

    Example:

    >>> budget(320 * 320, 4)
    25600
    >>> budget(320, 13.7)
    23
    """
    if not is_integer(size) or size < 1:
        raise ValueError(
            "Invalid value for argument `size`. Expected a positive integer. "
            f"Received: size={size}"
        )
    if (
        not isinstance(acceleration, Real)
        or not math.isfinite(acceleration)
        or acceleration <= 1
    ):
        raise ValueError(
            "Invalid value for argument `acceleration`. Expected a finite "
            f"number greater than 1. Received: acceleration={acceleration!r}"
        )
    entries = round(int(size) / float(acceleration))
    if entries == 0:
        raise ValueError(
            "Invalid value for argument `acceleration`. Expected one that "
            f"leaves at least one of the {size} entries to acquire. "
            f"Received: acceleration={acceleration}"
        )
    return entries


def calibration_region(shape, calibration):
    """Mark the centre of k-space that is always acquired (ACS).

    Along an axis of size `n` (DC at index `n // 2`) a calibration region of
    size `c` occupies `[n // 2 - c // 2, n // 2 - c // 2 + c)`.

    Args:
        shape: Shape of the mask: `(H, W)` for points, `(1, W)` for columns,
            `(H, 1)` for rows.
        calibration: `None` for no calibration region; an integer, the side of
            a square for points or the number of lines for lines; or, for
            points only, `(h, w)`. 0 is the same as `None`.

    Returns:
        Boolean array of shape `shape`, `True` in the calibration region.

    Raises:
        ValueError: If `shape` is not a shape, or `calibration` is of the
            wrong type, negative, or larger than the mask.

    Example:

    >>> calibration_region((1, 6), 3).astype(int)
    array([[0, 0, 1, 1, 1, 0]])
    """
    shape = standardize_shape(shape)
    calibration = standardize_calibration(calibration)
    region = np.zeros(shape, dtype=bool)
    if calibration is None:
        return region
    if isinstance(calibration, tuple):
        if 1 in shape:
            raise ValueError(
                "Invalid value for argument `calibration`. Expected the "
                f"number of lines for a mask of lines of shape {shape}. "
                f"Received: calibration={calibration}"
            )
        sizes = calibration
    elif 1 in shape:  # Lines: one axis is counted, the other taken whole.
        sizes = (1, calibration) if shape[0] == 1 else (calibration, 1)
    else:
        sizes = (calibration, calibration)
    if any(c > n for c, n in zip(sizes, shape, strict=True)):
        raise ValueError(
            "Invalid value for argument `calibration`. Expected a region that "
            f"fits into a mask of shape {shape}. "
            f"Received: calibration={calibration}"
        )
    starts = [n // 2 - c // 2 for c, n in zip(sizes, shape, strict=True)]
    rows, columns = (
        slice(start, start + c) for start, c in zip(starts, sizes, strict=True)
    )
    region[rows, columns] = True
    return region


def standardize_calibration(calibration):
    """Check `calibration` and return `None`, an `int` or a pair of `int`."""
    if calibration is None:
        return None
    if is_integer(calibration) and calibration >= 0:
        return int(calibration)
    if (
        isinstance(calibration, (tuple, list))
        and len(calibration) == 2
        and all(is_integer(c) and c >= 0 for c in calibration)
    ):
        return tuple(int(c) for c in calibration)
    raise ValueError(
        "Invalid value for argument `calibration`. Expected None, a "
        "non-negative integer or a pair of them. "
        f"Received: calibration={calibration!r}"
    )


def standardize_shape(shape):
    """Check the shape of a mask and return it as a pair of `int`."""
    if (
        not isinstance(shape, (tuple, list))
        or len(shape) != 2
        or not all(is_integer(n) and n >= 1 for n in shape)
    ):
        raise ValueError(
            "Invalid value for argument `shape`. Expected a pair of positive "
            f"integers. Received: shape={shape!r}"
        )
    return tuple(int(n) for n in shape)


def is_integer(value):
    """Whether `value` is an integer, Python's or NumPy's, and no boolean."""
    return isinstance(value, Integral) and not isinstance(value, bool)
