"""Read k-space from ISMRM raw data (Inati et al., MRM 77, 2017)."""

import functools
import math

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.checks import check_choice
from loupe_tf.formats.kspace_volume import COPIES, KspaceVolume
from loupe_tf.ismrmrd_file import (
    COUNTERS,
    encoding_steps,
    has_flags,
    import_ismrmrd,
    read_heads,
    read_out,
)
from loupe_tf.numpy_fourier import fftc, ifftc
from loupe_tf.reading import BadFileError

__all__ = ["COUNTERS", "open_ismrmrd"]


def open_ismrmrd(path, lines="columns", encoding=0, select=None):
    """Open the k-space of ISMRM raw data; see `load_kspace`."""
    check_choice("lines", lines, ("columns", "rows"))
    _, space, heads, numbers = read_heads(path, encoding, select)
    with reading.naming(path, "ISMRM raw data"):
        return _open(path, lines, space, heads, numbers)


def _open(path, lines, space, heads, numbers):
    refuse_coded(path, heads)
    steps, counts = encoding_steps(path, space, heads)
    slices, number_of_slices = find_slices(path, space, heads)
    if len(counts) > 1 < number_of_slices:
        raise BadFileError(
            path,
            f"Expected one slab. Received: {number_of_slices}, of the matrix "
            f"{space.matrix}",
        )
    slices, spacing = sort_slices(heads, slices)
    coils = count_coils(path, heads)
    samples, width, along = read_out(path, space, heads)
    first, start, stop = _extent(path, heads, samples)
    reading.check_memory(path, COPIES * 8 * coils * samples * math.prod(counts))

    def read(i):
        """Return the k-space `(coils, width, *counts)` of a slice."""
        kspace = np.zeros((coils, samples, *counts), np.complex64)
        times = np.zeros((samples, *counts), np.float32)
        for n in np.flatnonzero(slices == i):
            # The file has floats, real and imaginary parts in turn.
            data = dataset[numbers[n]]["data"].view(np.complex64)
            data = data.reshape(coils, heads["number_of_samples"][n])
            begin, end = start[n] - first[n], stop[n] - first[n]
            where = (slice(start[n], stop[n]), *(step[n] for step in steps))
            kspace[(slice(None), *where)] += data[:, begin:end]
            times[where] += 1
        kspace /= np.maximum(times, 1)
        return _crop(kspace, width)

    @functools.cache
    def read_slab():
        """Return `(width, coils, *counts)`, transformed along the read-out."""
        return ifftc(read(0), axes=(1,)).swapaxes(0, 1)

    file = hdf5.open_hdf5(path)
    dataset = hdf5.hdf5_dataset(file, "dataset/data")
    _, *phases = space.view
    if len(counts) > 1:
        return KspaceVolume(
            path,
            (width, coils, *counts),
            lambda i: read_slab()[i],
            file.close,
            None if None in phases else tuple(phases),
            along and along / width,
        )
    shape, view = (width, *counts), (along, phases[0])
    if lines == "rows":
        shape, view = shape[::-1], view[::-1]
    return KspaceVolume(
        path,
        (number_of_slices, coils, *shape),
        lambda i: read(i).swapaxes(1, 2) if lines == "rows" else read(i),
        file.close,
        None if None in view else view,
        (space.recon_view[2] or space.view[2]) if spacing is None else spacing,
    )


def count_coils(path, heads):
    """Return the number of coils, the same for all acquisitions."""
    coils = np.unique(heads["active_channels"]).tolist()
    if len(coils) > 1 or coils[0] < 1:
        raise BadFileError(
            path,
            "Expected acquisitions with the same number of channels. "
            f"Received: {coils} channels",
        )
    return coils[0]


def _extent(path, heads, samples):
    """Return where read-outs begin in the matrix and which part is kept."""
    first = samples // 2 - heads["center_sample"].astype(int)
    start = first + heads["discard_pre"]
    stop = first + heads["number_of_samples"] - heads["discard_post"]
    if (start >= stop).any() or start.min() < 0 or stop.max() > samples:
        raise BadFileError(
            path,
            f"Expected acquisitions within the {samples} samples of the "
            f"encoded space. Received: samples {start.min()} to "
            f"{stop.max() - 1}",
        )
    return first, start, stop


def refuse_coded(path, heads):
    """Refuse samples that would have to be decoded first."""
    ismrmrd = import_ismrmrd()
    if has_flags(heads, [ismrmrd.ACQ_IS_REVERSE]).any():
        raise BadFileError(
            path,
            "Expected read-outs in one direction. Received: acquisitions "
            "flagged ACQ_IS_REVERSE (EPI), which need phase correction first",
        )
    first = ismrmrd.ACQ_COMPRESSION1
    if has_flags(heads, range(first, first + 4)).any():
        raise BadFileError(
            path,
            "Expected samples as numbers. Received: acquisitions flagged "
            "ACQ_COMPRESSION, whose samples are compressed",
        )


def find_slices(path, space, heads):
    """Return the slice index of each acquisition and the number of slices."""
    slices = heads["idx"]["slice"].astype(int)
    low, high, _ = space.limits["slice"] or (0, slices.max(), 0)
    found, expected = set(slices.tolist()), set(range(low, high + 1))
    if found != expected:
        raise BadFileError(
            path,
            f"Expected acquisitions of slices {low} to {high}. Received: none "
            f"of slices {sorted(expected - found)}, and some of slices "
            f"{sorted(found - expected)}",
        )
    return slices - low, len(expected)


def sort_slices(heads, slices):
    """Sort slices by position, and return them with their distance in mm.

    In some files, slice numbers follow the order of acquisition. The distance
    is `None` if there are no positions, and 0 if they are uneven.
    """
    _, places = np.unique(slices, return_index=True)
    normals = heads["slice_dir"][places].astype(float)
    along = np.sum(heads["position"][places] * normals[0], axis=1)
    if len(places) < 2 or not np.ptp(along) > 0.01:
        return slices, None
    if not np.allclose(normals, normals[0], atol=1e-3):
        return slices, 0
    steps = np.diff(along)
    if not ((steps > 0).all() or (steps < 0).all()):
        order = np.argsort(along, kind="stable")
        slices, steps = np.argsort(order)[slices], np.diff(along[order])
    step = abs(steps.mean())
    even = np.allclose(abs(steps), step, rtol=0.01, atol=0.01)
    return slices, step if even else 0


def _crop(kspace, width):
    """Crop the image along axis 1, to remove oversampling of the read-out."""
    samples = kspace.shape[1]
    if width == samples:
        return kspace
    first = samples // 2 - width // 2
    image = ifftc(kspace, axes=(1,))[:, first : first + width]
    return fftc(image, axes=(1,))
