"""Describe a built data set: its splits and the steps of its volumes."""

import json
import pathlib

import numpy as np


def splits_table(builder):
    """Return a table of the splits of a data set, and its skipped volumes.

    Args:
        builder: TFDS builder of a prepared data set.

    Returns:
        A string of several lines.
    """
    bad = _left_out(builder)
    line = "{:<12}{:>9}{:>9}{:>12}{:>10}".format
    lines = [line("split", "volumes", "slices", "on disk", "left out")]
    for split, info in builder.info.splits.items():
        size = f"{info.num_bytes / 1e6:.1f} MB"
        left_out = sum(entry["split"] == split for entry in bad)
        volumes = len(info.shard_lengths)
        row = line(split, volumes, info.num_examples, size, left_out)
        lines.append(row)
    if bad:
        lines.append("\nLeft out:")
        lines += ["{volume}: {reason}".format(**entry) for entry in bad]
    return "\n".join(lines)


def unknown_patients(builder):
    """Say how many volumes have no known patient; `""` if all are known.

    Args:
        builder: TFDS builder of a prepared data set.
    """
    unknown = (builder.info.metadata or {}).get("unknown_patients", 0)
    if not unknown:
        return ""
    return (
        f"The patient of {unknown} volume{'s' * (unknown > 1)} is not known, "
        "so each counts as a patient, and two visits of one may be in two "
        "splits. To read patients from the paths, give `patient`."
    )


def resizing(builder):
    """Describe how the user's own volumes were resized.

    Args:
        builder: TFDS builder of a prepared data set.

    Returns:
        A string, with one line per group of volumes with the same steps; `""`
        for data sets without such steps.
    """
    groups = {}
    left_out = {entry["volume"] for entry in _left_out(builder)}
    for name, done in (builder.info.metadata or {}).get("volumes", {}).items():
        if name in left_out:
            continue
        key = json.dumps(
            {
                k: np.round(v[1:], 3).tolist() if "voxel" in k else v
                for k, v in done.items()
                # The distance between slices does not change.
                if k != "voxel_size"
            }
        )
        groups.setdefault(key, []).append((name, done))
    lines = []
    for each in groups.values():
        name, done = each[0]
        steps = [
            f"{'k-space' if space != 'image' else space} {h}×{w}"
            for space, (h, w) in done["steps"]
        ]
        view = [n * mm for n, mm in zip(done["size"], done["voxel_size"][1:])]
        before, after = (
            "{}×{} ({})".format(*done[f"size{k}"], _mm(done[f"voxel_size{k}"]))
            for k in ("_in_file", "")
        )
        text = f"{len(each)} of {before} -> {' -> '.join(steps)}: {after}"
        if all(view):
            text += ", field of view {:.1f}×{:.1f} mm".format(*view)
        lines.append(f"{text}; such as {name}")
    return "\n".join(lines)


def _left_out(builder):
    """Return the entries of `bad_volumes.json`."""
    report = pathlib.Path(builder.data_dir) / "bad_volumes.json"
    return json.loads(report.read_text())["volumes"] if report.exists() else []


def _mm(voxel_size):
    if not all(voxel_size[1:]):
        return "voxel size unknown"
    return "{:.3f}×{:.3f} mm".format(*voxel_size[1:])
