"""Masks as NumPy's `.npz`: the array and its metadata."""

import json

import numpy as np

from loupe_tf import reading
from loupe_tf.atomic import written_aside
from loupe_tf.masks.files.common import COST
from loupe_tf.masks.metadata import arguments_of


def save_npz(mask, path):
    """Write a mask with its metadata."""
    with written_aside(path) as partial, open(partial, "xb") as file:
        np.savez_compressed(
            file, mask=mask.array, metadata=json.dumps(mask.metadata)
        )


def load_npz(path):
    """Read a file of `save_npz`. See `read_mask` for the return value."""
    arrays = reading.load_npz(path)
    with reading.naming(path, "a file written by `SamplingMask.save`"):
        reading.check_memory(path, COST * arrays["mask"].size)
        metadata = reading.parse_json(arrays["metadata"].item())
        return arguments_of(arrays["mask"], metadata), True
