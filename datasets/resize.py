"""Crop and zero-fill images, in image space and in k-space."""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.numpy_fourier import fft2c, ifft2c


def center_crop_or_pad(images, size):
    """Crop or zero-pad images around their centre, each axis separately.

    The centre is the pixel at `N // 2`, and it stays the centre for odd and
    even sizes. In image space this changes the field of view; in centred
    k-space it changes the pixel size.

    Args:
        images: Array of shape `(..., H, W)`, of any dtype.
        size: Two positive integers `(h, w)`. A longer axis is cropped, a
            shorter axis gets zeros on both sides.

    Returns:
        A new array of shape `(..., h, w)` and the dtype of `images`.
    """
    images = np.asarray(images)
    h, w = check_size("size", size)
    _check_images(images)
    out = np.zeros((*images.shape[:-2], h, w), images.dtype)
    source, target = zip(
        *(_overlap(n, m) for n, m in zip(images.shape[-2:], (h, w)))
    )
    out[(..., *target)] = images[(..., *source)]
    return out


def crop_to_acquired(images, extent):
    """Crop the k-space of images to the acquired extent.

    A scanner that acquires 216 lines and shows 320 has filled the rest with
    zeros. This function removes the zeros: the field of view and the
    intensities do not change, and pixels become larger.

    Args:
        images: Array of shape `(..., H, W)`: magnitude or complex images.
        extent: Two positive integers `(h, w)`, the number of lines to keep
            along each axis of the centred k-space, at most `(H, W)`.
            `loupe_tf.datasets.inspect` detects them.

    Returns:
        An array of shape `(..., h, w)`: float32 magnitudes for magnitude
        images, complex64 for complex ones. A constant image keeps its value.
    """
    images = np.asarray(images)
    h, w = check_size("extent", extent)
    _check_images(images)
    height, width = images.shape[-2:]
    if h > height or w > width:
        raise invalid(
            "extent",
            f"at most the size of the images, {(height, width)}",
            (h, w),
        )
    return resize_kspace(images, (h, w))


def resize_kspace(images, size):
    """Crop or zero-fill the k-space of images, each axis separately.

    The field of view and the intensities do not change. Pixels become larger
    where k-space is cropped, and smaller, without new detail, where it is
    zero-filled.

    Args:
        images: Array of shape `(..., H, W)`: magnitude or complex images.
        size: Two positive integers `(h, w)`, the number of lines of the
            centred k-space along each axis.

    Returns:
        An array of shape `(..., h, w)`: float32 magnitudes for magnitude
        images, complex64 for complex ones. A constant image keeps its value.
    """
    images = np.asarray(images)
    h, w = check_size("size", size)
    _check_images(images)
    height, width = images.shape[-2:]
    is_complex = np.iscomplexobj(images)
    if (h, w) == (height, width):
        return images.astype("complex64" if is_complex else "float32")
    kspace = center_crop_or_pad(fft2c(images), (h, w))
    # The transform is orthonormal: fewer pixels share the same norm.
    out = ifft2c(kspace) * np.sqrt(h * w / (height * width))
    if is_complex:
        return out.astype("complex64")
    return np.abs(out).astype("float32")


def _overlap(n, m):
    """Centred overlap of axes of lengths `n` and `m`, as two slices."""
    shift = n // 2 - m // 2
    if shift >= 0 and n >= m:
        return slice(shift, shift + m), slice(0, m)
    return slice(0, n), slice(-shift, -shift + n)


def check_size(argument, size):
    """Check that a size is two positive integers.

    Args:
        argument: String, name of the argument.
        size: Its value.

    Returns:
        A tuple of two `int`.
    """
    values = tuple(size) if np.iterable(size) else (size,)
    if len(values) != 2 or not all(map(_is_positive_integer, values)):
        raise invalid(argument, "two positive integers (h, w)", size)
    return tuple(map(int, values))


def _is_positive_integer(value):
    is_integer = isinstance(value, (int, np.integer))
    return is_integer and not isinstance(value, bool) and value > 0


def _check_images(images):
    if images.ndim < 2 or 0 in images.shape:
        raise invalid("images", "(..., H, W)", found=f"shape={images.shape}")
