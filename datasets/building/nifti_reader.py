"""Read volumes from NIfTI and Analyze files."""

import gzip
import math
import os
import struct

import numpy as np

from loupe_tf.datasets.building.volume import Volume
from loupe_tf.datasets.building.volume_header import Header
from loupe_tf.datasets.building.volume_reader import check_shape, import_extra
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.reading import check_file, check_memory

SINGLE = (".nii", ".nii.gz")
TWINS = {".img": ".hdr", ".hdr": ".img"}
# An axis whose voxels are longer by this factor is taken as the slice axis.
THICKER = 1.2
# The accepted intents of a header. Others, such as labels, vectors and
# statistics, are not images.
INTENTS = ("none", "estimate", "dimensionless", "time series")
MILLIMETRES = {"meter": 1000.0, "micron": 0.001}
CHUNK = 2**20


def is_nifti(path):
    """Whether a file is NIfTI by its name, or part of a pair .hdr and .img."""
    return path.name.lower().endswith(SINGLE) or twin(path) is not None


def twin(path):
    """The other file of a pair .hdr and .img, or `None`."""
    name, packed = path.name, ""
    if name.lower().endswith(".gz"):
        name, packed = name[:-3], name[-3:]
    stem, suffix = os.path.splitext(name)
    other = TWINS.get(suffix.lower())
    for ending in (other, other.upper()) if other else ():
        found = path.with_name(stem + ending + packed)
        if found.exists():
            return found
    return None


def open_nifti(path, slice_axis=None):
    """Open a NIfTI or Analyze file, or one of a pair.

    Args:
        path: Path of the file.
        slice_axis: As in `read_volume`.

    Returns:
        A `Header`, and a function without arguments that reads the `Volume`.
    """
    nibabel = import_extra("nibabel", "NIfTI files")
    if twin(path) is not None:
        check_file(twin(path), BadVolumeError)
    _check_extensions(path)
    image = nibabel.load(path)
    dtype = image.get_data_dtype()
    if dtype.kind not in "buifc":
        raise BadVolumeError(
            path,
            f"Expected grey values. Received: colours, {dtype.names}.",
        )
    if hasattr(image.header, "get_intent"):
        intent = image.header.get_intent()[0]
        if intent not in INTENTS:
            raise BadVolumeError(
                path,
                f"Expected an image. Received: intent={intent!r}, which is "
                "not an image; skip the file with `exclude`.",
            )
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 4:
        raise BadVolumeError(
            path,
            f"Expected one volume. Received: a series of {shape[3]}, "
            f"shape={shape}. Split it, for example with "
            "`nibabel.four_to_three`, and keep the volumes that you want.",
        )
    if len(shape) == 2:
        shape = (*shape, 1)
    check_shape(path, (1, 2, 2) if len(shape) == 3 else shape, image.shape)
    spacing = _spacing(image.header)
    if slice_axis is None:
        slice_axis = _slice_axis(shape, spacing)
    order = (slice_axis, *(axis for axis in range(3) if axis != slice_axis))
    check_shape(path, tuple(shape[axis] for axis in order), image.shape)
    header = Header(
        tuple(shape[axis] for axis in order),
        spacing=spacing and tuple(spacing[axis] for axis in order),
        is_complex=dtype.kind == "c",
    )

    def read():
        _check_length(path, image)
        # `dataobj` applies the slope and the intercept of the header.
        images = np.asarray(image.dataobj).reshape(shape).transpose(order)
        return Volume(images=images, stored=str(dtype), spacing=header.spacing)

    return header, read


def _slice_axis(shape, spacing):
    if shape.count(1) == 1:
        return shape.index(1)
    if spacing is None:
        return 2
    order = np.argsort(spacing)
    thickest = spacing[order[2]] > THICKER * spacing[order[1]]
    return int(order[2]) if thickest else 2


def _spacing(header):
    """Voxel sizes along three axes in mm, `None` if one of them is invalid."""
    sizes = [float(size) for size in header.get_zooms()[:3]]
    if len(sizes) == 2:  # A single slice of unknown thickness.
        return None
    unit = header.get_xyzt_units()[0] if hasattr(header, "get_intent") else ""
    sizes = [size * MILLIMETRES.get(unit, 1.0) for size in sizes]
    good = all(0 < size < math.inf for size in sizes)
    return tuple(sizes) if good else None


def _check_extensions(path):
    """Reject a compressed file whose header exceeds the memory limit.

    Uncompressed headers cannot be larger than their file.
    """
    if not path.name.lower().endswith(".gz"):
        return
    if twin(path) is not None:
        pair = (path, twin(path))
        header = next(p for p in pair if p.name.lower().endswith(".hdr.gz"))
        _unpacked_size(header)
        return
    with gzip.open(path) as file:
        start = file.read(540)
    for order in "<>":
        size = struct.unpack(order + "i", start[:4].ljust(4, b"\0"))[0]
        if size == 348 and len(start) >= 112:
            offset = struct.unpack(order + "f", start[108:112])[0]
        elif size == 540 and len(start) >= 176:
            offset = struct.unpack(order + "q", start[168:176])[0]
        else:
            continue
        check_memory(path, offset, BadVolumeError)


def _check_length(path, image):
    """Compare the length of a file with its header.

    Compressed files are read to the end, which also checks their checksums:
    nibabel stops after the last voxel, before the checksums.
    """
    file = image.file_map["image"].filename
    found = (
        _unpacked_size(file)
        if str(file).lower().endswith(".gz")
        else os.path.getsize(file)
    )
    proxy = image.dataobj
    expected = proxy.offset + math.prod(image.shape) * proxy.dtype.itemsize
    if found != expected:
        raise BadVolumeError(
            path,
            f"Expected {expected} bytes, according to "
            f"shape={image.shape} in the header. Received: {found}.",
        )


def _unpacked_size(path):
    size = 0
    with gzip.open(path) as file:
        while chunk := file.read(CHUNK):
            size += len(chunk)
            check_memory(path, size, BadVolumeError)
    return size
