"""Masks as CSV: the acquired entries, in order."""

import csv
import json
import math

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.budget import standardize_shape
from loupe_tf.masks.files.common import COST
from loupe_tf.masks.metadata import arguments_of
from loupe_tf.reading import check_memory, naming, parse_json, read_text


def save_csv(mask, path, order="linear", seed=0):
    """Write a mask as CSV: the acquired entries in order of acquisition.

    The metadata come first, as lines `# name: value`, with values in JSON. The
    columns of the table are `column` (or `row`, or both), counted from 0, and
    `k_column` (`k_row`), counted from DC, in units of one over the field of
    view.

    Args:
        mask: `SamplingMask`.
        path: Path of the file.
        order, seed: See `loupe_tf.masks.acquisition_order`.
    """
    axes = _axes(mask.lines)
    entries = acquisition_order(mask, order, seed)
    entries = entries.reshape(mask.acquired, len(axes))
    centre = np.array([mask.shape[axis] // 2 for axis in axes])
    names = [("row", "column")[axis] for axis in axes]
    with written_aside(path) as partial:
        with partial.open("w", encoding="utf-8", newline="") as file:
            metadata = {"format": "loupe_tf.mask", **mask.metadata}
            metadata["order"] = order
            for name, value in metadata.items():
                file.write(f"# {name}: {json.dumps(value)}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names + [f"k_{name}" for name in names])
            writer.writerows(np.hstack([entries, entries - centre]).tolist())


def load_csv(path):
    """Read a file of `save_csv`. See `read_mask` for the return value."""
    lines = read_text(path, cost=COST).splitlines()
    with naming(path, "CSV of a mask, with its comments"):
        metadata = {}
        while lines and lines[0].startswith("#"):
            name, _, value = lines.pop(0)[1:].partition(":")
            if name.strip() in metadata:
                raise ValueError(f"Expected {name.strip()} once")
            metadata[name.strip()] = parse_json(value)
        shape = standardize_shape(metadata["shape"])
        check_memory(path, COST * math.prod(shape))
        array = np.zeros(shape, dtype=bool)
        axes = _axes(metadata["lines"])
        for row in csv.DictReader(lines):
            index = [0, 0]
            for axis in axes:
                name = ("row", "column")[axis]
                index[axis] = int(row[name])
                if int(row[f"k_{name}"]) != index[axis] - shape[axis] // 2:
                    raise ValueError(f"Expected {name} and k_{name} to agree")
            if min(index) < 0 or array[tuple(index)]:
                raise ValueError(f"Expected each entry once, not {row}")
            array[tuple(index)] = True
        return arguments_of(array, metadata), True


def _axes(lines):
    """Return the axes along which entries are counted."""
    return {"columns": (1,), "rows": (0,), None: (0, 1)}[lines]
