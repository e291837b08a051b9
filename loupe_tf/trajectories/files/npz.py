"""Trajectories as NumPy's `.npz`: the positions and their metadata."""

import json

import numpy as np

from loupe_tf import reading
from loupe_tf.atomic import written_aside
from loupe_tf.trajectories.files.common import arguments_of


def save_npz(trajectory, path):
    """Write a trajectory with its metadata."""
    with written_aside(path) as partial, open(partial, "xb") as file:
        np.savez_compressed(
            file,
            positions=trajectory.positions,
            metadata=json.dumps(trajectory.metadata),
        )


def load_npz(path):
    """Read the arguments of a trajectory that `save_npz` wrote."""
    arrays = reading.load_npz(path)
    with reading.naming(path, "a file written by `Trajectory.save`"):
        metadata = reading.parse_json(arrays["metadata"].item())
        return arguments_of(arrays["positions"], metadata)
