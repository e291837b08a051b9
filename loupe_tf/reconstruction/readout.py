"""Remove and restore the oversampling of the read-out."""

import numpy as np

from loupe_tf.checks import check_integer, invalid
from loupe_tf.numpy_fourier import fftc, ifftc


def crop_readout(kspace, rows):
    """Remove the oversampling of the read-out.

    The read-out is along H, and usually covers twice the field of view of the
    image. The image along it is cropped to its central rows, and transformed
    back: `F_rows C F⁻¹ y`. With m rows left of n, the result has the SNR of
    the original in these rows.

    Args:
        kspace: Complex array `(..., H, W)`, orthonormal, with DC at
            `(H // 2, W // 2)`. Columns are treated one by one, so
            undersampled columns stay zero.
        rows: Integer, the number of rows left.

    Returns:
        Complex64 array `(..., rows, W)`.

    Raises:
        ValueError: If `rows` is larger than H.

    Example:

    >>> loupe_tf.reconstruction.crop_readout(np.ones((4, 640, 320)), 320).shape
    (4, 320, 320)
    """
    kspace, rows, first = _checked(kspace, rows, np.less_equal, "at most")
    lines = ifftc(kspace, axes=(-2,))[..., first : first + rows, :]
    return fftc(lines, axes=(-2,)).astype(np.complex64)


def pad_readout(kspace, rows):
    """Restore a removed oversampling of the read-out, with zeros.

    This is the adjoint of `crop_readout`, and its right inverse: the image is
    padded with zeros along H. So a network that was trained on oversampled
    scans gets images of the shape it knows. Everything outside the field of
    view, such as noise, is lost.

    Args:
        kspace: Complex array `(..., H, W)`, as for `crop_readout`.
        rows: Integer, the new number of rows.

    Returns:
        Complex64 array `(..., rows, W)`.

    Raises:
        ValueError: If `rows` is smaller than H.
    """
    kspace, rows, first = _checked(kspace, rows, np.greater_equal, "at least")
    height = kspace.shape[-2]
    padding = [(0, 0)] * kspace.ndim
    padding[-2] = (first, rows - height - first)
    lines = np.pad(ifftc(kspace, axes=(-2,)), padding)
    return fftc(lines, axes=(-2,)).astype(np.complex64)


def _checked(kspace, rows, fits, bound):
    """Return k-space, rows, and the first row of the smaller image."""
    kspace, rows = np.asarray(kspace), check_integer("rows", rows, at_least=1)
    if kspace.ndim < 2:
        raise invalid("kspace", "shape (..., H, W)", found=kspace.shape)
    height = kspace.shape[-2]
    if not fits(rows, height):
        raise invalid("rows", f"{bound} {height}, the rows of k-space", rows)
    # DC and the origin stay at N // 2.
    return kspace, rows, abs(height // 2 - rows // 2)
