"""Masks as Pulseq `.seq` files."""

import hashlib
import pathlib
import re
import tempfile

import numpy as np

from loupe_tf.masks.files.common import COST
from loupe_tf.masks.files.pulseq_events import import_pypulseq, write_sequence
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
        mask: `SamplingMask` of lines.
        path: Path of the file, which must end in `.seq`.
        version: `"1.5"` or `"1.4"`, the version of the format.
        **options: Arguments of `pulseq_sequence`.
    """
    sequence = pulseq_sequence(mask, **options)
    write_sequence(sequence, path, version)


def load_pulseq(path):
    """Read which lines a `.seq` file of `save_pulseq` acquires.

    The lines are computed from the gradients. See `read_mask` for the return
    value.

    Args:
        path: Path of the file.

    Raises:
        ImportError: If the package `pypulseq` is missing.
        ValueError: If the file cannot be read, or if samples do not lie on the
            lines given by its definitions.
    """
    import_pypulseq()
    check_memory(path, 50 * check_file(path))
    with naming(path, "a protocol of `save_mask`"):
        sequence = read_sequence(path)
        found = sequence.definitions
        lines = found["MaskAxis"]
        matrix = tuple(int(n) for n in found["MaskMatrix"])
        view = tuple(float(1000 * x) for x in found["FOV"][:2])
        readout, phase = {"columns": (0, 1), "rows": (1, 0)}[lines]
        check_memory(path, COST * matrix[phase])
        # Older files have no oversampling.
        samples = matrix[readout] * int(found.get(OVERSAMPLING, 1))
        taken = _taken(sequence, samples, matrix[phase], view[1])
        if len(taken) != int(found["MaskAcquired"]):
            raise ValueError(
                f"Expected {int(found['MaskAcquired'])} lines, not {len(taken)}"
            )
        array = np.zeros(matrix[phase], dtype=bool)
        array[taken] = True
        provenance = {}
        if "MaskModel" in found:
            digest = str(found["MaskModel"]).removeprefix("sha256:")
            provenance = {"weights_sha256": digest}
        return {
            "array": array[None] if lines == "columns" else array[:, None],
            "acceleration": float(found["MaskAcceleration"]),
            "calibration": int(found["MaskCalibration"]) or None,
            "slope": found.get("MaskSlope"),
            "provenance": provenance,
            "matrix": matrix,
            "field_of_view": view if lines == "columns" else view[::-1],
        }, True


def _taken(sequence, samples, count, view):
    """Return the indices of the lines on which samples lie."""
    trajectory = sequence.calculate_kspace()[0]
    if trajectory.shape[1] % samples:
        raise ValueError(f"Expected lines of {samples} samples")
    steps = trajectory[1] * view / 1000
    near = np.rint(steps)
    if not np.abs(steps - near).max(initial=0) <= 0.01:
        raise ValueError("Expected samples on lines, not between them")
    numbers = np.unique(near.astype(int)) + count // 2
    if numbers.size and not 0 <= numbers[0] <= numbers[-1] < count:
        raise ValueError(f"Expected lines within the matrix of {count}")
    return numbers


def read_sequence(path):
    """Read a sequence, if its events are few and short enough to compute."""
    pp = import_pypulseq()
    content = pathlib.Path(path).read_bytes()
    body, _, signature = content.rpartition(b"\n[SIGNATURE]\n")
    if hashlib.md5(body).hexdigest().encode() not in signature:
        raise ValueError("Expected the md5 of the file at its end")
    # Without this ending, pypulseq would search for the end forever.
    body += b"\n\n[SIGNATURE]\nType md5\n\n"
    shapes = re.findall(rb"^num_samples\s+(\d+)", body, re.MULTILINE)
    check_memory(path, 64 * sum(map(int, shapes)))
    sequence = pp.Sequence()
    with tempfile.TemporaryDirectory() as folder:
        part = pathlib.Path(folder, "body.seq")
        part.write_bytes(body)
        sequence.read(str(part))
    # pypulseq computes ramps in steps of the raster.
    ramps = [
        sum(event[1:5]) / sequence.grad_raster_time
        for key, event in sequence.grad_library.data.items()
        if sequence.grad_library.type[key] == "t"
    ]
    samples = [event[0] for event in sequence.adc_library.data.values()]
    longest = sum(
        max(map(float, sizes), default=0.0)
        for sizes in (shapes, ramps, samples)
    )
    check_memory(path, 64 * longest * len(sequence.block_events))
    return sequence
