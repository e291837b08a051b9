"""The number of entries a mask acquires, and which it must acquire."""

import contextlib

import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid


def budget(size, acceleration):
    """Return the exact number of entries a mask acquires: `round(size / R)`.

    The calibration region counts towards the budget. Python's `round` rounds
    halves to the even neighbour.

    Args:
        size: Positive integer, the number of entries to choose from: `H * W`
            for a mask of points, the number of lines for a mask of lines.
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
    size = check_integer("size", size, at_least=1)
    acceleration = check_number("acceleration", acceleration, above=1)
    entries = round(size / acceleration)
    if entries == 0:
        raise invalid(
            "acceleration",
            f"one that leaves at least one of the {size} entries to acquire",
            acceleration,
        )
    return entries


def calibration_region(shape, calibration, name="calibration"):
    """Mark the centre of k-space that is always acquired (ACS).

    Along an axis of size `n`, with DC at index `n // 2`, a calibration region
    of size `c` occupies `[n // 2 - c // 2, n // 2 - c // 2 + c)`.

    Args:
        shape: Shape of the mask: `(H, W)` for points, `(1, W)` for columns,
            `(H, 1)` for rows.
        calibration: `None` for no calibration region. An integer is the side
            of a square for points, or the number of lines for lines. Points
            may also have `(h, w)`. 0 is the same as `None`.
        name: String, the argument that an error names.

    Returns:
        Boolean array of shape `shape`, `True` in the calibration region.

    Raises:
        ValueError: If `shape` is not a pair of positive integers, or if
            `calibration` has the wrong type, is negative or is larger than
            the mask.

    Example:

    >>> calibration_region((1, 6), 3).astype(int)
    array([[0, 0, 1, 1, 1, 0]])
    """
    shape = standardize_shape(shape)
    calibration = standardize_calibration(calibration, name)
    region = np.zeros(shape, dtype=bool)
    if calibration is None:
        return region
    if isinstance(calibration, tuple):
        if 1 in shape:
            raise invalid(
                name,
                f"the number of lines for a mask of lines of shape {shape}",
                calibration,
            )
        sizes = calibration
    elif 1 in shape:  # Lines: `calibration` counts along one axis only.
        sizes = (1, calibration) if shape[0] == 1 else (calibration, 1)
    else:
        sizes = (calibration, calibration)
    if any(c > n for c, n in zip(sizes, shape, strict=True)):
        raise invalid(
            name,
            f"a region that fits into a mask of shape {shape}",
            calibration,
        )
    starts = [n // 2 - c // 2 for c, n in zip(sizes, shape, strict=True)]
    rows, columns = (
        slice(start, start + c) for start, c in zip(starts, sizes, strict=True)
    )
    region[rows, columns] = True
    return region


def standardize_calibration(calibration, name="calibration"):
    """Check `calibration` and return `None`, an `int` or a pair of `int`."""
    if calibration is None:
        return None
    if isinstance(calibration, (tuple, list)):
        expected = "None, a non-negative integer or a pair of them"
        return check_pair(
            name, calibration, expected, check_integer, at_least=0
        )
    return check_integer(name, calibration, at_least=0)


def standardize_shape(shape):
    """Check the shape of a mask and return it as a pair of `int`."""
    return check_pair(
        "shape", shape, "a pair of positive integers", check_integer, at_least=1
    )


def check_pair(argument, value, expected, check, **bounds):
    """Refuse a value that is not a pair, or whose entries fail `check`.

    Args:
        argument: String, name of the argument.
        value: The value received, a tuple or list.
        expected: String, the expected value, for the error message.
        check: `check_integer` or `check_number`.
        **bounds: Bounds for `check`.

    Returns:
        A tuple of two numbers.
    """
    if isinstance(value, (tuple, list)) and len(value) == 2:
        with contextlib.suppress(ValueError):
            return tuple(check(argument, entry, **bounds) for entry in value)
    raise invalid(argument, expected, value)
