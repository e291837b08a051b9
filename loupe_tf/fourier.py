"""The one Fourier convention of the package.

Every transform here is two-dimensional and orthonormal, over the axes H and W
of a real tensor `(..., H, W, 2)` whose last axis is (real, imaginary).

`fft2c` and `ifft2c` are centred: the zero frequency (DC) lies at
`(H // 2, W // 2)`, and so does the origin of the image. `fft2` and `ifft2`
have both in the corner `(0, 0)`. Between `fft2` and `ifft2` the shifts of a
mask-then-inverse round trip cancel, if the mask is shifted instead:

    ifft2c(M * fft2c(x)) == ifft2(ifftshift(M) * fft2(x))
"""

import math

from keras import ops

__all__ = ["fft2", "fft2c", "fftshift", "ifft2", "ifft2c", "ifftshift"]

AXES = (-3, -2)


def fft2(x):
    """Orthonormal 2-D Fourier transform with DC in the corner.

    Args:
        x: Real tensor `(..., H, W, 2)`, last axis (real, imaginary).

    Returns:
        Float32 tensor of the same shape:
        `y[k, l] = 1/√(HW) Σ x[m, n] exp(-2πi (km/H + ln/W))`.
    """
    real, imag = ops.unstack(_standardize(x), axis=-1)
    return _scale(ops.stack(ops.fft2((real, imag)), axis=-1))


def ifft2(x):
    """Inverse, and adjoint, of `fft2`; same shapes."""
    # With real and imaginary parts swapped before and after, the forward
    # transform is H·W times the inverse: F⁻¹(z) ∝ conj(F(conj(z))). It is
    # cheaper than `ops.ifft2`, which changes signs and divides.
    real, imag = ops.unstack(_standardize(x), axis=-1)
    imag, real = ops.fft2((imag, real))
    return _scale(ops.stack([real, imag], axis=-1))


def fft2c(x):
    """Orthonormal 2-D Fourier transform with DC at `(H // 2, W // 2)`.

    Args:
        x: Real tensor `(..., H, W, 2)`, last axis (real, imaginary). Image,
            origin at `(H // 2, W // 2)`.

    Returns:
        Float32 tensor of the same shape: k-space, so scaled that
        `‖fft2c(x)‖₂ = ‖x‖₂`.
    """
    return fftshift(fft2(ifftshift(x)))


def ifft2c(x):
    """Inverse, and adjoint, of `fft2c`; same shapes."""
    return fftshift(ifft2(ifftshift(x)))


def fftshift(x):
    """Move the origin from the corner to the centre of H and W.

    Args:
        x: Tensor `(..., H, W, C)`. An axis of length 1 stays as it is, so a
            mask of lines `(..., 1, W, 1)` may be given as well.
    """
    return ops.roll(x, [x.shape[axis] // 2 for axis in AXES], axis=AXES)


def ifftshift(x):
    """Undo `fftshift`, for odd sizes too."""
    return ops.roll(x, [-(x.shape[axis] // 2) for axis in AXES], axis=AXES)


def _standardize(x):
    x = ops.convert_to_tensor(x)
    if len(x.shape) < 3 or x.shape[-1] != 2 or None in x.shape[-3:-1]:
        raise ValueError(
            "Invalid value for argument `x`. Expected a real tensor of shape "
            "(..., H, W, 2) with known H and W, the last axis being (real, "
            f"imaginary). Received: shape={tuple(x.shape)}"
        )
    # No backend has an FFT in half precision.
    return ops.cast(x, "float32")


def _scale(x):
    return x * (1.0 / math.sqrt(x.shape[-3] * x.shape[-2]))
