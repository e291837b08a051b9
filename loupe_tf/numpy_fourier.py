"""`fft2c` and `ifft2c` of `loupe_tf.fourier` for NumPy's complex arrays.

For work outside a model, such as preparing data and classical reconstruction.
"""

import numpy as np


def fft2c(images):
    """Centred orthonormal 2-D Fourier transform.

    Args:
        images: Complex or real array `(..., H, W)`, origin at
            `(H // 2, W // 2)`.

    Returns:
        Complex array of the same shape, DC at `(H // 2, W // 2)`, in the
        precision that NumPy computes in.
    """
    return _transform(np.fft.fft2, images)


def ifft2c(kspace):
    """The inverse, and the adjoint, of `fft2c`."""
    return _transform(np.fft.ifft2, kspace)


def _transform(function, array):
    axes = (-2, -1)
    array = np.fft.ifftshift(array, axes=axes)
    return np.fft.fftshift(function(array, norm="ortho"), axes=axes)
