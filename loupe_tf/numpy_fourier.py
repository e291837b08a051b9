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


def nudft(images, positions):
    """Compute the transform of `fft2c` at any position, as an exact sum.

    For each position k, `y = 1/√(HW) Σ_r x_r exp(-2πi k·r)`, where r is the
    distance in pixels from `(H // 2, W // 2)`. The sum takes time and memory in
    proportion to pixels times samples; `loupe_tf.operators.NonUniform` is fast.

    Args:
        images: Complex or real array `(..., H, W)`, or `(..., D, H, W)` for
            positions of three axes.
        positions: Real array `(..., 2)` or `(..., 3)`, in cycles per pixel and
            in the order of the axes of an image.

    Returns:
        Complex128 array `(..., ...)`: first the axes of `images` before those
        that are transformed, then the axes of `positions` before the last.
    """
    positions = np.asarray(positions, np.float64)
    axes = positions.shape[-1]
    images = np.asarray(images, np.complex128)
    lead, size = images.shape[:-axes], images.shape[-axes:]
    *others, last = _waves(positions, size)
    # (..., H, W) and (samples, W) to (..., H, samples), one axis at a time.
    values = images @ last.T
    for waves in others[::-1]:
        values = np.einsum("...nm,mn->...m", values, waves)
    return values.reshape(*lead, *positions.shape[:-1])


def nudft_adjoint(samples, positions, size):
    """Apply the adjoint of `nudft`.

    Args:
        samples: Complex array with the axes that `nudft` returns.
        positions: As for `nudft`.
        size: Tuple `(H, W)` or `(D, H, W)`, size of the images.

    Returns:
        Complex128 array `(..., *size)`.
    """
    positions = np.asarray(positions, np.float64)
    samples = np.asarray(samples, np.complex128)
    lead = samples.shape[: samples.ndim - positions.ndim + 1]
    values = samples.reshape(*lead, -1)
    first, *others = (waves.conj() for waves in _waves(positions, size))
    values = values[..., None, :] * first.T
    for waves in others[:-1]:
        values = values[..., None, :] * waves.T
    return values @ others[-1]


def _waves(positions, size):
    """Return `exp(-2πi k r) / √N` for each axis, `(samples, N)`."""
    for k, n in zip(positions.reshape(-1, len(size)).T, size):
        pixels = np.arange(n) - n // 2
        yield np.exp(-2j * np.pi * np.outer(k, pixels)) / np.sqrt(n)
