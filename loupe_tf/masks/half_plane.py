"""The half of k-space that determines the other for images without phase."""

import numpy as np

from loupe_tf.masks.budget import calibration_region, standardize_shape


def half_plane(shape):
    """Mark one entry of each pair `{k, -k}` of k-space.

    The k-space of a real image satisfies `y(-k) = conj y(k)` (indices modulo
    N), so the marked entries determine the others. In each pair, the entry of
    lower flat index is marked: the upper half, and the left half of the row of
    DC. Entries that are their own mirror, such as DC, are also marked.

    Args:
        shape: Shape of the mask: `(H, W)` for points, `(1, W)` for columns,
            `(H, 1)` for rows.

    Returns:
        Boolean array of shape `shape`, with DC at `N // 2` of each axis.

    Raises:
        ValueError: If `shape` is not a pair of positive integers.

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
    """Move each entry from `k` to `-k`, with DC at `N // 2` of both axes.

    Let `half` be a mask of the half-plane, and `y` the k-space of a real image
    measured with this mask. The known entries are then
    `half | mirrored(half)`, and their values are
    `np.where(half, y, np.conj(mirrored(y)))`.

    Args:
        array: Array of shape `(..., H, W)`; H or W may be 1.

    Returns:
        Array of the same shape. Applied twice, `mirrored` changes nothing.
    """
    array = np.asarray(array)
    # A flip moves n to N - 1 - n, which for even N is one short of -k.
    shift = [1 - n % 2 for n in array.shape[-2:]]
    return np.roll(np.flip(array, (-2, -1)), shift, (-2, -1))


def is_own_mirror(shape):
    """Mark the entries that are their own mirror, such as DC."""
    index = np.arange(np.prod(shape)).reshape(shape)
    return index == mirrored(index)


def required_and_allowed(shape, calibration=None, half=False):
    """Mark the entries that a mask must acquire and those that it may.

    Args:
        shape: Shape of the mask.
        calibration: `None`, an integer or `(h, w)`; see `calibration_region`.
        half: Boolean, whether only the half-plane may be acquired. The
            required entries are then those of the half-plane that, together
            with their mirrors, fill the calibration region.

    Returns:
        Two boolean arrays of shape `shape`.
    """
    required = calibration_region(shape, calibration)
    if not half:
        return required, np.ones(required.shape, dtype=bool)
    allowed = half_plane(shape)
    return allowed & (required | mirrored(required)), allowed


def half_plane_facts(calibration):
    """Return provenance entries for a `SamplingMask` of a half-plane.

    The `calibration` of such a mask is `None`, because it does not acquire
    the whole region.
    """
    if calibration is None:
        return {"half_plane": True}
    return {"half_plane": True, "calibration_once_filled": calibration}
