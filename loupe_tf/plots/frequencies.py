"""Masks as images of k-space, which all figures with masks share."""

import numpy as np

from loupe_tf.checks import invalid


def frequencies(name, array):
    """Return a mask as `(H, W)`, with lines drawn over a square."""
    array = np.asarray(array)
    if array.ndim != 2:
        raise invalid(
            name,
            "shape (H, W), or (1, W) or (H, 1) for lines",
            found=f"shape={array.shape}",
        )
    if 1 in array.shape:
        array = np.broadcast_to(array, (array.size, array.size))
    return array


def mask_and_aspect(name, mask):
    """Return a mask as `(H, W)`, and the aspect ratio of its samples."""
    array = getattr(mask, "array", mask)
    if getattr(mask, "voxel_size", None) is None:
        return frequencies(name, array), "equal"
    height, width = mask.field_of_view
    return np.broadcast_to(array, mask.matrix), width / height
