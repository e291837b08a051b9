"""Trajectories as BART's arrays."""

import json

import numpy as np

from loupe_tf import reading
from loupe_tf.cfl import pair, read_cfl, write_cfl
from loupe_tf.trajectories.files.common import (
    COST,
    MARK,
    arguments_of,
    from_single,
    per_cycle,
    with_known,
)

UNIT = "cycles/fov"


def save_bart(trajectory, path, matrix=None):
    """Write a trajectory for BART's `nufft` and `pics -t`.

    The dimensions are (3, samples, shots). Component i is along dimension i of
    BART's images, which `read_cfl` returns as arrays `(H, W)` or `(D, H, W)`:
    so the components are (H, W, 0), or (D, H, W), in cycles per field of view.
    BART's numbers have single precision.

    Args:
        trajectory: `Trajectory`.
        path: Path of the pair of files.
        matrix: (Optional) size of the image, by default the trajectory's own.
    """
    what = f"BART's unit, {UNIT}"
    trajectory = with_known(trajectory, what, matrix=matrix)
    axes, matrix = trajectory.axes, trajectory.matrix
    positions = trajectory.positions * per_cycle(UNIT, axes, matrix, None)
    array = np.zeros((3, trajectory.samples, trajectory.shots), np.float32)
    array[:axes] = positions.T
    metadata = {"axes": axes, **trajectory.metadata}
    # BART skips header sections that it does not know.
    write_cfl(path, array, {MARK: json.dumps(metadata)})


def load_bart(path, matrix=None):
    """Read the arguments of a trajectory from BART's pair of files.

    Args:
        path: Path of the pair.
        matrix: Size of the image. A file of BART itself needs it; one of
            `save_bart` has it. A trajectory whose third component is 0 has two
            axes, unless the matrix has three.
    """
    array = read_cfl(path, memory_map=True)
    reading.check_memory(path, COST * array.size)
    header = pair(path)[0].read_text("utf-8", "replace").splitlines()
    with reading.naming(path, "a trajectory (3, samples, shots)"):
        if array.shape[0] != 3 or array.ndim > 3:
            raise ValueError(f"The dimensions are {array.shape}")
        array = np.array(array.reshape((*array.shape, 1, 1)[:3]))
        if array.imag.any():
            raise ValueError("Some positions are complex")
        positions = array.real.T.astype(np.float64)
        axes = 3 if positions[..., 2].any() or np.size(matrix) == 3 else 2
        metadata = None
        if f"# {MARK}" in header:
            text = header[header.index(f"# {MARK}") + 1]
            metadata = reading.parse_json(text)
            axes = metadata["axes"]
        arguments = {"matrix": None}
        if metadata:
            arguments = arguments_of(None, metadata)
    if matrix is not None:
        arguments["matrix"] = matrix
    factor = per_cycle(UNIT, axes, arguments["matrix"], None, path)
    arguments["positions"] = from_single(positions[..., :axes] / factor)
    return arguments
