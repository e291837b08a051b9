"""Masks as text: JSON and CSV."""

import csv
import json

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.sampling_mask import SamplingMask


def save_json(mask, path):
    """Write a mask as JSON: `metadata`, and `"mask"`, 0 and 1 row by row."""
    rows = ["".join("01"[int(entry)] for entry in row) for row in mask.array]
    content = {"format": "loupe_tf.mask", **mask.metadata, "mask": rows}
    with written_aside(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def load_json(path):
    """Read what `save_json` wrote."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
            rows = content["mask"]
            if any(set(row) - {"0", "1"} for row in rows):
                raise ValueError("Expected rows of 0 and 1 alone")
            array = np.array([[entry == "1" for entry in row] for row in rows])
            return SamplingMask.from_metadata(array, content), True
        except Exception as error:  # Damaged files fail in many ways.
            raise damaged(path, "JSON of a mask", error) from error


def save_csv(mask, path, order="linear", seed=0):
    """Write a mask as CSV: what is acquired, in the order of acquisition.

    The metadata come first, as lines `# name: value`, each value in JSON. The
    columns are `column` (or `row`, or both), counted from 0, and `k_column`
    (`k_row`), the same from DC, in steps of one over the field of view.

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
    """Read what `save_csv` wrote."""
    with open(path, encoding="utf-8", newline="") as file:
        try:
            lines = file.read().splitlines()
            metadata = {}
            while lines and lines[0].startswith("#"):
                name, _, value = lines.pop(0)[1:].partition(":")
                metadata[name.strip()] = json.loads(value)
            array = np.zeros(metadata["shape"], dtype=bool)
            axes = _axes(metadata["lines"])
            for row in csv.DictReader(lines):
                index = [0, 0]
                for axis in axes:
                    index[axis] = int(row[("row", "column")[axis]])
                if min(index) < 0 or array[tuple(index)]:
                    raise ValueError(f"Expected each entry once, not {row}")
                array[tuple(index)] = True
            return SamplingMask.from_metadata(array, metadata), True
        except Exception as error:  # Damaged files fail in many ways.
            expected = "CSV of a mask, with its comments"
            raise damaged(path, expected, error) from error


def damaged(path, expected, error):
    """The error for a file that is not what it should be."""
    return ValueError(
        f"Invalid value for argument `path`. Expected {expected}. Received: "
        f"path={path}, which cannot be read ({type(error).__name__}: {error})"
    )


def _axes(lines):
    """The axes along which entries are counted."""
    return {"columns": (1,), "rows": (0,), None: (0, 1)}[lines]
