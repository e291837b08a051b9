"""Trajectories as CSV: one sample a line."""

import json

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.reading import BadFileError, naming, parse_json, read_text
from loupe_tf.trajectories.files.common import (
    arguments_of,
    per_cycle,
    with_known,
)

COLUMNS = ("shot", "sample", "kh", "kw", "kd")


def save_csv(
    trajectory, path, unit="cycles/pixel", matrix=None, field_of_view=None
):
    """Write a trajectory as CSV, one line for each sample.

    The metadata come first, as lines `# name: value`, with values in JSON;
    among them is `unit`. The columns of the table are `shot` and `sample`,
    counted from 0 in order of time, and the position along H, `kh`, along W,
    `kw`, and, for three axes, along D, `kd`. Numbers have all their digits.

    Args:
        trajectory: `Trajectory`.
        path: Path of the file.
        unit: `"cycles/pixel"`, `"radians/pixel"`, `"cycles/fov"`, which needs
            a matrix, or `"1/m"`, which needs a field of view as well.
        matrix, field_of_view: (Optional) those of the image, by default the
            trajectory's own.
    """
    sizes = {"matrix": matrix, "field_of_view": field_of_view}
    given = {name: size for name, size in sizes.items() if size is not None}
    trajectory = with_known(trajectory, f"positions in {unit}", **given)
    sizes = trajectory.matrix, trajectory.field_of_view
    positions = trajectory.positions * per_cycle(unit, trajectory.axes, *sizes)
    order = [1, 2, 0] if trajectory.axes == 3 else [0, 1]
    counts = np.indices(positions.shape[:2])
    table = [*counts, *np.moveaxis(positions[..., order], -1, 0)]
    table = np.stack(table, axis=-1).reshape(-1, len(table))
    metadata = {"format": "loupe_tf.trajectory", **trajectory.metadata}
    metadata["unit"] = unit
    lines = [f"# {name}: {json.dumps(x)}" for name, x in metadata.items()]
    columns = COLUMNS[: table.shape[1]]
    with written_aside(path) as partial:
        np.savetxt(
            partial,
            table,
            ["%d", "%d"] + ["%.17g"] * trajectory.axes,
            delimiter=",",
            header="\n".join([*lines, ",".join(columns)]),
            comments="",
            encoding="utf-8",
        )


def load_csv(
    path,
    unit=None,
    matrix=None,
    field_of_view=None,
    dwell=None,
):
    """Read the arguments of a trajectory from CSV.

    A file of another program needs a line with the names of the columns, in
    any order, and may have any of the lines `# name: value` of `save_csv`.
    Lines may be in any order, but each shot has the same samples.

    Args:
        path: Path of the file.
        unit: (Optional) as for `save_csv`, by default that of the file, or
            `"cycles/pixel"` if it says nothing.
        matrix, field_of_view, dwell: (Optional) see `Trajectory`, by default
            those of the file.
    """
    lines = read_text(path).splitlines()
    with naming(path, "CSV of a trajectory, with the names of its columns"):
        metadata = {}
        while lines and lines[0].startswith("#"):
            name, _, value = lines.pop(0)[1:].partition(":")
            if name.strip() in metadata:
                raise ValueError(f"Expected {name.strip()} once")
            metadata[name.strip()] = parse_json(value)
        columns = [name.strip() for name in (lines or [""])[0].split(",")]
        axes = len(columns) - 2
        if sorted(columns) not in (sorted(COLUMNS), sorted(COLUMNS[:4])):
            raise ValueError(
                f"Expected the columns {','.join(COLUMNS[:4])}, and kd for "
                f"three axes, not {','.join(columns)[:80]}"
            )
        table = np.loadtxt(lines[1:], delimiter=",", ndmin=2)
        if not len(table):
            raise ValueError("Expected at least one sample")
        order = [columns.index(name) for name in COLUMNS[: len(columns)]]
        table = table[:, order]
        table = table[np.lexsort((table[:, 1], table[:, 0]))]
        positions = table[:, [4, 2, 3] if axes == 3 else [2, 3]]
        shots, samples = _counts(path, table[:, 0], table[:, 1])
        positions = positions.reshape(shots, samples, axes)
        defaults = dict.fromkeys(("matrix", "field_of_view", "dwell"))
        defaults |= {"version": 1, "provenance": {}, "unit": "cycles/pixel"}
        metadata = defaults | metadata
        arguments = arguments_of(positions, metadata)
    given = {"matrix": matrix, "field_of_view": field_of_view, "dwell": dwell}
    arguments |= {name: x for name, x in given.items() if x is not None}
    positions /= per_cycle(
        metadata["unit"] if unit is None else unit,
        axes,
        arguments["matrix"],
        arguments["field_of_view"],
        path,
    )
    return arguments


def _counts(path, shots, samples):
    """Return the numbers of shots and samples of sorted columns."""
    numbers, counts = np.unique(shots, return_counts=True)
    if len(set(counts.tolist())) > 1:
        other = np.flatnonzero(counts != counts[0])[0]
        raise BadFileError(
            path,
            "Expected the same number of samples in each shot. Received: "
            f"{counts[0]} in shot {numbers[0]:g}, {counts[other]} in shot "
            f"{numbers[other]:g}",
        )
    expected = np.indices((len(numbers), counts[0])).reshape(2, -1)
    wrong = np.flatnonzero((shots != expected[0]) | (samples != expected[1]))
    if len(wrong):
        found, *others = wrong.tolist()
        raise BadFileError(
            path,
            "Expected shots and samples that count from 0, each once. "
            f"Received: shot {shots[found]:g}, sample {samples[found]:g} in "
            f"the place of shot {expected[0, found]}, sample "
            f"{expected[1, found]}, and {len(others)} more",
        )
    return len(numbers), int(counts[0])
