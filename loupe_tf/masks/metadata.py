"""The metadata that mask files hold beside the array."""

import math
import zlib

from loupe_tf.masks.arguments import standardize_array

VERSION = 1


def facts(array):
    """Return facts that follow from the array, as JSON can store them.

    Files hold them for readers without this package, and to detect damage:
    `crc32` is the checksum of the array, row by row, with one byte of 0 or 1
    for each entry.

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
    """Return `"columns"` or `"rows"` for a mask of lines, else `None`."""
    if shape[0] == 1:
        return "columns"
    return "rows" if shape[1] == 1 else None


def arguments_of(array, metadata):
    """Return the arguments of `SamplingMask` that made a mask.

    Args:
        array: As for `SamplingMask`.
        metadata: Dictionary like `SamplingMask.metadata`. Entries that files
            of version 0.1 lack have defaults.

    Returns:
        A dictionary.

    Raises:
        KeyError: If `metadata` lacks an entry.
        ValueError: If `metadata` is of another version or contradicts the
            array.
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
                f"Expected {name}={expected!r}, as in the array. "
                f"Received: {name}={metadata[name]!r}"
            )
    return arguments
