"""The half of k-space that tells the other, of images without a phase."""

import numpy as np

from loupe_tf.masks.budget import calibration_region, standardize_shape


def half_plane(shape):
    """Mark one entry of each pair `{k, -k}` of k-space.

    The k-space of a real image has `y(-k) = conj y(k)` (indices modulo N), so
    that these entries tell the others. Of a pair the entry of lower flat index
    is marked: the upper half, and the left half of the row of DC. Entries that
    are their own mirror, such as DC, are marked.

    Args:
        shape: Shape of the mask: `(H, W)` for points, `(1, W)` for columns,
            `(H, 1)` for rows.

    Returns:
        Boolean array of shape `shape`, DC at `N // 2` of each axis.

    Raises:
        ValueError: If `shape` is not a shape.

    Example:

    >>> half_plane((3, 4)).astype(int)
    array([[1, 1, 1, 1],
           [1, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    shape = standardize_shape(shape)
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    return index <= mirrored(index)


def mirrored(array):
    """Put what is at `k` to `-k`, with DC at `N // 2` of the last two axes.

    With the mask `half` of a half-plane and k-space `y` of a real image that
    was measured there, `half | mirrored(half)` is what is known, and
    `np.where(half, y, np.conj(mirrored(y)))` has all of it.

    Args:
        array: Array of shape `(..., H, W)`; H or W may be 1.

    Returns:
        Array of the same shape; `mirrored` undoes itself.
    """
    array = np.asarray(array)
    # A flip takes n to N - 1 - n: for even N that is one short of -k.
    shift = [1 - n % 2 for n in array.shape[-2:]]
    return np.roll(np.flip(array, (-2, -1)), shift, (-2, -1))


def is_own_mirror(shape):
    """Mark the entries that are their own mirror, such as DC."""
    index = np.arange(np.prod(shape)).reshape(shape)
    return index == mirrored(index)


def required_and_allowed(shape, calibration=None, half=False):
    """Mark the entries that a mask must acquire, and those that it may.

    Args:
        shape: Shape of the mask.
        calibration: `None`, an integer or `(h, w)`; see `calibration_region`.
        half: Boolean, whether the half-plane alone may be acquired. What must
            be is then what fills the calibration region, by itself or by its
            mirror.

    Returns:
        Two boolean arrays of shape `shape`.
    """
    required = calibration_region(shape, calibration)
    if not half:
        return required, np.ones(required.shape, dtype=bool)
    allowed = half_plane(shape)
    return allowed & (required | mirrored(required)), allowed


def half_plane_facts(calibration):
    """What a `SamplingMask` of a half-plane says in its provenance.

    Its own `calibration` is `None`: half of the region is not acquired.
    """
    if calibration is None:
        return {"half_plane": True}
    return {"half_plane": True, "calibration_once_filled": calibration}
