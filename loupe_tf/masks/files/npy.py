"""Masks as NumPy's `.npy`: only the array."""

import numpy as np

from loupe_tf import reading
from loupe_tf.atomic import written_aside
from loupe_tf.masks.files.common import COST


def save_npy(mask, path):
    """Write only the boolean array of a mask."""
    # Into an open file: NumPy would append the suffix to other paths.
    with written_aside(path) as partial, open(partial, "xb") as file:
        np.save(file, mask.array)


def load_npy(path):
    """Read an array of booleans, or of 0 and 1. Return as `read_mask`."""
    array = reading.load_npy(path)
    reading.check_memory(path, COST * array.size)
    return {"array": array}, False
