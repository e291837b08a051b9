"""`fft2c` and `ifft2c` of `loupe_tf.fourier` for NumPy's complex arrays.

They are for work outside a model, such as data preparation and classical
reconstruction.
"""

import numpy as np


def fft2c(images):
    """Compute the centred orthonormal 2-D Fourier transform.

    Args:
        images: Complex or real array `(..., H, W)`, with the origin at
            `(H // 2, W // 2)`.

    Returns:
        Complex array of the same shape, with DC at `(H // 2, W // 2)`, in the
        precision of NumPy's FFT.
    """
    return fftc(images, (-2, -1))


def ifft2c(kspace):
    """Compute the inverse, and adjoint, of `fft2c`."""
    return ifftc(kspace, (-2, -1))


def fftc(images, axes):
    """Compute the transform of `fft2c` along `axes`, a tuple of integers."""
    return _transform(np.fft.fftn, images, axes)


def ifftc(kspace, axes):
    """Compute the inverse, and adjoint, of `fftc`."""
    return _transform(np.fft.ifftn, kspace, axes)


def _transform(function, array, axes):
    array = np.fft.ifftshift(array, axes=axes)
    return np.fft.fftshift(function(array, axes=axes, norm="ortho"), axes=axes)
