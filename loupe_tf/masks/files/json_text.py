"""Masks as JSON."""

import json

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.masks.files.common import COST
from loupe_tf.masks.metadata import arguments_of
from loupe_tf.reading import naming, parse_json, read_text


def save_json(mask, path):
    """Write a mask as JSON: its metadata, and `"mask"`, rows of 0 and 1."""
    rows = ["".join("01"[int(entry)] for entry in row) for row in mask.array]
    content = {"format": "loupe_tf.mask", **mask.metadata, "mask": rows}
    with written_aside(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def load_json(path):
    """Read a file of `save_json`. See `read_mask` for the return value."""
    text = read_text(path, cost=COST)
    with naming(path, "JSON of a mask"):
        content = parse_json(text)
        rows = content["mask"]
        if not isinstance(rows, list) or any(
            not isinstance(row, str) or set(row) - {"0", "1"} for row in rows
        ):
            raise ValueError("Expected rows of only 0 and 1")
        array = np.array([[entry == "1" for entry in row] for row in rows])
        return arguments_of(array, content), True
