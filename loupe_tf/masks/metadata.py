"""What the files of a mask tell beside its array."""

import math
import zlib

from loupe_tf.masks.arguments import standardize_array

VERSION = 1


def facts(array):
    """What follows from the array, as a dictionary that JSON can store.

    It is in files for whoever reads them without this package, and to find out
    damaged ones: `crc32` is the checksum of the array, a byte of 0 or 1 an
    entry, row by row.

    Args:
        array: Boolean array `(H, W)`, `(1, W)` or `(H, 1)`.
    """
    height, width = array.shape
    acquired = int(array.sum())
    return {
        "dc": "N // 2",
        "axes": "(H, W)",
        "shape": [height, width],
        "lines": lines_of(array.shape),
        "acquired": acquired,
        "achieved_acceleration": array.size / acquired if acquired else None,
        "crc32": zlib.crc32(array.tobytes()),
    }


def lines_of(shape):
    """`"columns"` or `"rows"` if whole lines are taken, else `None`."""
    if shape[0] == 1:
        return "columns"
    return "rows" if shape[1] == 1 else None


def arguments_of(array, metadata):
    """The arguments of `SamplingMask` that made a mask.

    Args:
        array: As for `SamplingMask`.
        metadata: Dictionary such as `SamplingMask.metadata`. Of entries that
            files of 0.1 lack, the defaults are taken.

    Returns:
        A dictionary.

    Raises:
        KeyError: If `metadata` lacks an entry.
        ValueError: If it is of another version, or contradicts the array.
    """
    if metadata["version"] != VERSION:
        raise ValueError(
            f"Expected version {VERSION} of the format. "
            f"Received: version={metadata['version']}"
        )
    acceleration = metadata["acceleration"]
    arguments = {
        "array": standardize_array(array),
        # JSON has no infinity.
        "acceleration": math.inf if acceleration is None else acceleration,
        "calibration": metadata["calibration"],
        "slope": metadata["slope"],
        "provenance": metadata["provenance"],
        "matrix": metadata.get("matrix"),
        "field_of_view": metadata.get("field_of_view"),
    }
    for name, expected in facts(arguments["array"]).items():
        if metadata.get(name, expected) != expected:
            raise ValueError(
                f"Expected {name}={expected!r}, which is that of the "
                f"array. Received: {name}={metadata[name]!r}"
            )
    return arguments
