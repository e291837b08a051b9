"""Masks as BART patterns."""

import json
import math

import numpy as np

from loupe_tf import reading
from loupe_tf.cfl import pair, read_cfl, write_cfl
from loupe_tf.masks.files.common import COST, MARK, with_sizes
from loupe_tf.masks.metadata import arguments_of


def save_bart(mask, path, matrix=None):
    """Write a mask as a pattern for BART, 1 where k-space is acquired.

    Args:
        mask: `SamplingMask`.
        path: Path of the pair of files.
        matrix: (Optional) size `(H, W)` of k-space, by default that of the
            mask. Lines are written over the whole matrix, as BART's tools
            expect.
    """
    mask = with_sizes(mask, matrix=matrix)
    reading.check_memory(path, 8 * math.prod(mask.matrix))
    pattern = np.broadcast_to(mask.array, mask.matrix)
    # BART skips header sections that it does not know.
    write_cfl(path, pattern, {MARK: json.dumps(mask.metadata)})


def load_bart(path):
    """Read a BART pattern `(H, W)`. See `read_mask` for the return value.

    A pattern whose rows (or columns) are all alike becomes a mask of lines.
    """
    array = read_cfl(path, memory_map=True)
    reading.check_memory(path, COST * array.size)
    with reading.naming(path, "a pattern of 0 and 1, (H, W)"):
        found = array.shape
        while array.ndim > 2 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.ndim > 2:
            raise ValueError(f"Expected (H, W), not the dimensions {found}")
        array = np.array(array.reshape(array.shape[0], -1))
        if not ((array == 0) | (array == 1)).all():
            raise ValueError("The file has other values")
        array = array.real.astype(bool)
        header = pair(path)[0].read_text("utf-8", "replace").splitlines()
        if f"# {MARK}" not in header:
            return _as_lines(array), False
        metadata = reading.parse_json(header[header.index(f"# {MARK}") + 1])
        return _from_full(array, metadata), True


def _from_full(array, metadata):
    """Return the arguments of a mask whose lines were broadcast to `array`."""
    full = array
    array = array[tuple(slice(n) for n in metadata["shape"])]
    if not np.array_equal(np.broadcast_to(array, full.shape), full):
        raise ValueError(f"Expected {metadata['lines']}, all lines alike")
    return arguments_of(array, metadata)


def _as_lines(array):
    """Return the arguments of a mask: of lines, if the pattern has lines."""
    if 1 not in array.shape and 0 < array.sum() < array.size:
        for axis in (0, 1):
            line = array.take([0], axis=axis)
            if (line == array).all():
                return {"array": line, "matrix": array.shape}
    return {"array": array}
