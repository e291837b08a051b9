"""Read volumes from `.npy` files."""

import warnings

import numpy as np

from loupe_tf.datasets.building.volume import Volume
from loupe_tf.datasets.building.volume_header import Header
from loupe_tf.datasets.building.volume_reader import check_shape
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.reading import load_npy

# Share of the energy in the central eighth of both axes: 0.78 to 0.96 in three
# scans' k-space, 0.04 to 0.06 in images of the brain.
CENTRAL_ENERGY = 0.5


def open_numpy(path):
    """Open an array `(slices, H, W)`, `(slices, H, W, 1)` or `(H, W)`.

    An array `(H, W, 1)` is one image with a single channel. The function warns
    of complex values that look like k-space.

    Returns:
        A `Header`, and a function without arguments that reads the `Volume`.
    """
    images = load_npy(path, memory_map=True)
    if images.dtype.kind not in "buifc":
        raise BadVolumeError(
            path, f"Expected numbers. Received: dtype={images.dtype}."
        )
    shape = images.shape
    if len(shape) in (3, 4) and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 2:
        shape = (1, *shape)
    check_shape(path, shape, images.shape)

    def read():
        if images.dtype.kind == "c":
            warn_of_kspace(path, images.reshape(shape))
        return Volume(images=images.reshape(shape), stored=str(images.dtype))

    return Header(shape, is_complex=images.dtype.kind == "c"), read


def warn_of_kspace(path, images):
    """Warn of an array whose energy lies in the centre, as that of k-space.

    Args:
        path: Path of the file.
        images: Complex array `(slices, H, W)`.
    """
    centre = tuple(
        slice(n // 2 - n // 16, n // 2 + n // 16 + 1) for n in images.shape[1:]
    )
    inside, every = (
        np.linalg.norm(part) ** 2
        for part in (images[(slice(None), *centre)], images)
    )
    if min(images.shape[1:]) >= 16 and inside > CENTRAL_ENERGY * every:
        warnings.warn(
            f"{path} looks like k-space: {inside / every:.0%} of the energy "
            "lies in the centre. It is read as images; `loupe-tf reconstruct` "
            "makes images of k-space.",
            stacklevel=3,
        )
