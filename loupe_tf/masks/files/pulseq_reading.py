"""Read Pulseq sequences, and compute where they are in k-space."""

import copy
import hashlib
import pathlib
import re
import tempfile

from loupe_tf.masks.files.pulseq_events import import_pypulseq
from loupe_tf.reading import check_memory

# Excitations that are computed at once: pypulseq keeps the whole shape of each.
PART = 256


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
    blocks = max(map(len, _parts(sequence)), default=0)
    check_memory(path, 64 * longest * blocks)
    check_memory(path, 24 * received(sequence))
    return sequence


def received(sequence):
    """Return the number of samples that the receiver takes in all."""
    events = [block[5] for block in sequence.block_events.values() if block[5]]
    return int(sum(sequence.adc_library.data[event][0] for event in events))


def kspace_in_parts(sequence):
    """Compute where the samples of a sequence are in k-space.

    Args:
        sequence: `pypulseq.Sequence`.

    Yields:
        Arrays `(3, samples)` of x, y and z in 1/m, in the order of the
        sequence.
    """
    for blocks in _parts(sequence):
        part = copy.copy(sequence)
        part.block_cache = {}
        part.block_events = {i: sequence.block_events[i] for i in blocks}
        part.block_durations = {i: sequence.block_durations[i] for i in blocks}
        if received(part):
            yield part.calculate_kspace()[0]


def _parts(sequence):
    """Return lists of blocks that begin with an excitation, the centre."""
    kinds = sequence.rf_library.type
    starts = [
        place
        for place, block in enumerate(sequence.block_events.values())
        if block[1] and kinds.get(block[1], "u") in ("e", "u")
    ]
    edges = [0, *starts[PART::PART], len(sequence.block_events)]
    blocks = list(sequence.block_events)
    return [blocks[low:high] for low, high in zip(edges, edges[1:])]
