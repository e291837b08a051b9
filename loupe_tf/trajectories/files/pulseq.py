"""Trajectories as Pulseq `.seq` files."""

import numpy as np

from loupe_tf.masks.files.pulseq_events import (
    import_pypulseq,
    write_sequence,
)
from loupe_tf.masks.files.pulseq_reading import (
    kspace_in_parts,
    read_sequence,
    received,
)
from loupe_tf.reading import check_file, check_memory, naming
from loupe_tf.trajectories.files.common import COST
from loupe_tf.trajectories.files.trajectory_sequence import (
    trajectory_sequence,
)


def save_pulseq(trajectory, path, version="1.5", **options):
    """Write the protocol of `trajectory_sequence` as a `.seq` file.

    The sizes, the pattern and the hash of the model become definitions in the
    file. The rest of the provenance is left out, because interpreters read only
    short lines.

    Args:
        trajectory: `Trajectory` that the hardware can run.
        path: Path of the file, which must end in `.seq`.
        version: `"1.5"` or `"1.4"`, the version of the format.
        **options: Arguments of `trajectory_sequence`.
    """
    sequence = trajectory_sequence(trajectory, **options)
    write_sequence(sequence, path, version)


def load_pulseq(path):
    """Read the positions of the samples of a `.seq` file of `save_pulseq`.

    They are computed from the gradients.

    Args:
        path: Path of the file.

    Raises:
        ImportError: If the package `pypulseq` is missing.
        ValueError: If the file cannot be read, or holds another number of
            samples than its definitions say.
    """
    import_pypulseq()
    check_memory(path, 50 * check_file(path))
    with naming(path, "a protocol of `save_trajectory`"):
        sequence = read_sequence(path)
        found = sequence.definitions
        shots = int(found["TrajectoryShots"])
        samples = int(found["TrajectorySamples"])
        check_memory(path, COST * shots * samples)
        views = np.array(found["FOV"][:2], dtype=float)
        matrix = tuple(int(n) for n in found["TrajectoryMatrix"])
        if received(sequence) != shots * samples:
            raise ValueError(
                f"Expected {shots} shots of {samples} samples, not "
                f"{received(sequence)} samples in all"
            )
        kspace = np.concatenate(list(kspace_in_parts(sequence)), axis=1)
        # (x, y) is (W, H).
        positions = kspace[1::-1].T * views[::-1] / matrix
        provenance = {}
        if "TrajectoryPattern" in found:
            provenance["pattern"] = str(found["TrajectoryPattern"])
        if "TrajectoryModel" in found:
            digest = str(found["TrajectoryModel"]).removeprefix("sha256:")
            provenance["weights_sha256"] = digest
        return {
            "positions": positions.reshape(shots, samples, 2),
            "matrix": matrix,
            "field_of_view": tuple(float(1000 * v) for v in views[::-1]),
            "dwell": float(found["Dwell"]),
            "provenance": provenance,
        }
