"""Masks as Pulseq `.seq` files."""

import math

import numpy as np

from loupe_tf.masks.files.common import COST
from loupe_tf.masks.files.pulseq_events import import_pypulseq, write_sequence
from loupe_tf.masks.files.pulseq_reading import (
    kspace_in_parts,
    read_sequence,
)
from loupe_tf.masks.files.pulseq_sequence import pulseq_sequence
from loupe_tf.reading import check_file, check_memory, naming

# As other sequences of Pulseq call it.
OVERSAMPLING = "ReadoutOversamplingFactor"


def save_pulseq(mask, path, version="1.5", **options):
    """Write the protocol of `pulseq_sequence` as a `.seq` file.

    The field of view, the acceleration, the calibration, the slope and the hash
    of the model become definitions in the file. The rest of the provenance is
    left out, because interpreters read only short lines.

    Args:
        mask: `SamplingMask`.
        path: Path of the file, which must end in `.seq`.
        version: `"1.5"` or `"1.4"`, the version of the format.
        **options: Arguments of `pulseq_sequence`.
    """
    sequence = pulseq_sequence(mask, **options)
    write_sequence(sequence, path, version)


def load_pulseq(path):
    """Read which lines or points a `.seq` file of `save_pulseq` acquires.

    They are computed from the gradients. See `read_mask` for the return value.

    Args:
        path: Path of the file.

    Raises:
        ImportError: If the package `pypulseq` is missing.
        ValueError: If the file cannot be read, or if samples do not lie on the
            lines or points given by its definitions.
    """
    import_pypulseq()
    check_memory(path, 50 * check_file(path))
    with naming(path, "a protocol of `save_mask`"):
        sequence = read_sequence(path)
        found = sequence.definitions
        kind = found["MaskAxis"]
        matrix = tuple(int(n) for n in found["MaskMatrix"])
        sizes = [float(1000 * x) for x in found["FOV"]]
        # The axes (H, W) that are encoded, and their fields of view.
        axes, view = {
            "columns": ((1,), (sizes[0], sizes[1])),
            "rows": ((0,), (sizes[1], sizes[0])),
            "points": ((0, 1), (sizes[1], sizes[2])),
        }[kind]
        shape = [matrix[axis] if axis in axes else 1 for axis in (0, 1)]
        check_memory(path, COST * math.prod(shape))
        what = "points" if kind == "points" else "lines"
        samples = matrix[1 - axes[0]]
        if kind == "points":
            samples = int(found["ReadoutSamples"])
        # Older files have no oversampling.
        samples *= int(found.get(OVERSAMPLING, 1))
        array = np.zeros(shape, dtype=bool)
        for kspace in kspace_in_parts(sequence):
            if kspace.shape[1] % samples:
                raise ValueError(f"Expected {what} of {samples} samples")
            place = [0, 0]
            for axis, along in zip(axes, kspace[1:]):
                place[axis] = _steps(along, shape[axis], view[axis], what)
            array[tuple(place)] = True
        acquired = int(found["MaskAcquired"])
        if array.sum() != acquired:
            raise ValueError(f"Expected {acquired} {what}, not {array.sum()}")
        calibration = np.ravel(found["MaskCalibration"]).astype(int).tolist()
        provenance = {}
        if "MaskModel" in found:
            digest = str(found["MaskModel"]).removeprefix("sha256:")
            provenance = {"weights_sha256": digest}
        return {
            "array": array,
            "acceleration": float(found["MaskAcceleration"]),
            "calibration": (
                calibration[0] or None
                if len(calibration) == 1
                else tuple(calibration)
            ),
            "slope": found.get("MaskSlope"),
            "provenance": provenance,
            "matrix": matrix,
            "field_of_view": view,
        }, True


def _steps(positions, count, view, what):
    """Return the indices of the phase encodings at which samples lie."""
    steps = positions * view / 1000
    near = np.rint(steps)
    if not np.abs(steps - near).max(initial=0) <= 0.01:
        raise ValueError(f"Expected samples on {what}, not between them")
    indices = near.astype(int) + count // 2
    if indices.size and not 0 <= indices.min() <= indices.max() < count:
        raise ValueError(f"Expected {what} within the matrix of {count}")
    return indices
