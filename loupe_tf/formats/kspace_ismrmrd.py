"""K-space of ISMRM raw data (Inati et al., MRM 77, 2017)."""

import functools

import numpy as np

from loupe_tf import reading
from loupe_tf.formats.kspace_volume import KspaceVolume
from loupe_tf.formats.mask_ismrmrd import (
    encoding_steps,
    import_ismrmrd,
    read_heads,
)
from loupe_tf.numpy_fourier import fftc, ifftc

COUNTERS = ("repetition", "contrast", "phase", "set")


def open_ismrmrd(path, lines="columns", encoding=0, select=None):
    """K-space of ISMRM raw data; see `load_kspace`."""
    if lines not in ("columns", "rows"):
        raise ValueError(
            "Invalid value for argument `lines`. Expected 'columns' or 'rows'. "
            f"Received: lines={lines!r}"
        )
    _, space, heads, numbers = read_heads(path, encoding)
    kept = _selected(path, heads, select or {})
    heads, numbers = heads[kept], numbers[kept]
    reverse = 1 << (import_ismrmrd().ACQ_IS_REVERSE - 1)
    if np.any(heads["flags"] & np.uint64(reverse)):
        raise ValueError(
            f"Invalid file {path}. Expected read-outs in one direction. "
            "Received: acquisitions flagged ACQ_IS_REVERSE (EPI), which need "
            "phase correction first"
        )
    steps, counts = encoding_steps(path, space, heads)
    slices = heads["idx"]["slice"].astype(int)
    lacking = sorted(set(range(slices.max() + 1)) - set(slices.tolist()))
    if lacking or (len(counts) > 1 and slices.max()):
        raise ValueError(
            f"Invalid file {path}. Expected acquisitions of slices 0 to "
            f"{slices.max()}, or of one slab. Received: none of slices "
            f"{lacking}, matrix {counts}"
        )
    coils = set(heads["active_channels"].tolist())
    samples = space.encodedSpace.matrixSize.x
    first = samples // 2 - heads["center_sample"].astype(int)
    start = first + heads["discard_pre"]
    stop = first + heads["number_of_samples"] - heads["discard_post"]
    if len(coils) > 1 or start.min() < 0 or stop.max() > samples:
        raise ValueError(
            f"Invalid file {path}. Expected acquisitions of one number of "
            f"channels, read out within the {samples} samples of the encoded "
            f"space. Received: {sorted(coils)} channels, samples "
            f"{start.min()} to {stop.max() - 1}"
        )
    (coils,) = coils
    encoded, wanted = (
        s.fieldOfView_mm for s in (space.encodedSpace, space.reconSpace)
    )
    width = samples
    if 0 < wanted.x < encoded.x:
        width = max(1, round(samples * wanted.x / encoded.x))

    def read(i):
        """`(coils, width, *counts)` of a slice."""
        kspace = np.zeros((coils, samples, *counts), np.complex64)
        times = np.zeros(counts, int)
        for n in np.flatnonzero(slices == i):
            # Floats, (real, imaginary) in turn.
            data = dataset[numbers[n]]["data"].view(np.complex64)
            data = data.reshape(coils, -1)
            begin, end = start[n] - first[n], stop[n] - first[n]
            where = tuple(step[n] for step in steps)
            kspace[(slice(None), slice(start[n], stop[n]), *where)] += data[
                :, begin:end
            ]
            times[where] += 1
        return _crop(kspace / np.maximum(times, 1), width)

    @functools.cache
    def read_slab():
        """`(width, coils, *counts)`: what was read out is transformed."""
        return ifftc(read(0), axes=(1,)).swapaxes(0, 1)

    along = encoded.x * width / samples
    file = reading.open_hdf5(path)
    dataset = reading.hdf5_dataset(file, "dataset/data")
    if len(counts) > 1:
        return KspaceVolume(
            path,
            (width, coils, *counts),
            lambda i: read_slab()[i],
            file.close,
            (encoded.y, encoded.z),
            along / width,
        )
    shape, view = (width, *counts), (along, encoded.y)
    if lines == "rows":
        shape, view = shape[::-1], view[::-1]
    return KspaceVolume(
        path,
        (slices.max() + 1, coils, *shape),
        lambda i: read(i).swapaxes(1, 2) if lines == "rows" else read(i),
        file.close,
        view,
        encoded.z,
    )


def _selected(path, heads, select):
    """Which acquisitions are of the repetition, contrast, ... asked for."""
    unknown = sorted(set(select) - set(COUNTERS))
    if unknown:
        raise ValueError(
            f"Invalid value for argument `select`. Expected {COUNTERS}. "
            f"Received: {unknown}"
        )
    kept = np.ones(len(heads), bool)
    for name in COUNTERS:
        kept &= heads["idx"][name] == select.get(name, 0)
    if not kept.any():
        found = {n: sorted(set(heads["idx"][n].tolist())) for n in COUNTERS}
        raise ValueError(
            "Invalid value for argument `select`. Expected some of the "
            f"acquisitions of {path}, which has {found}. Received: {select}"
        )
    return kept


def _crop(kspace, width):
    """Crop the image along axis 1: removes oversampling of the read-out."""
    samples = kspace.shape[1]
    if width == samples:
        return kspace
    first = samples // 2 - width // 2
    image = ifftc(kspace, axes=(1,))[:, first : first + width]
    return fftc(image, axes=(1,))
