"""Read volumes from `.npy` files."""

from loupe_tf.datasets.building.volume import Volume
from loupe_tf.datasets.building.volume_header import Header
from loupe_tf.datasets.building.volume_reader import check_shape
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.reading import load_npy


def open_numpy(path):
    """Open an array `(slices, H, W)`, `(slices, H, W, 1)` or `(H, W)`.

    An array `(H, W, 1)` is one image with a single channel.

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
        return Volume(images=images.reshape(shape), stored=str(images.dtype))

    return Header(shape), read
