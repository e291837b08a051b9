"""What was built, in words: the splits, and what was done to the volumes."""

import json
import pathlib

import numpy as np


def splits_table(builder):
    """The splits of a data set, and the volumes that were left out.

    Args:
        builder: TFDS builder whose data set has been prepared.

    Returns:
        A string of several lines.
    """
    report = pathlib.Path(builder.data_dir) / "bad_volumes.json"
    bad = []
    if report.exists():
        bad = json.loads(report.read_text())["volumes"]
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


def resizing(builder):
    """What was done to volumes of the user's own.

    Args:
        builder: TFDS builder whose data set has been prepared.

    Returns:
        A string, with a line for all volumes that were treated alike; `""` of
        data sets that treat none.
    """
    groups = {}
    for name, done in (builder.info.metadata or {}).get("volumes", {}).items():
        key = json.dumps(
            {
                k: np.round(v[1:], 3).tolist() if "voxel" in k else v
                for k, v in done.items()
                # Slices stay as far apart as they are.
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


def _mm(voxel_size):
    if not all(voxel_size[1:]):
        return "voxel size unknown"
    return "{:.3f}×{:.3f} mm".format(*voxel_size[1:])
