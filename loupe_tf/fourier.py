"""The one Fourier convention of the package.

Every transform here is two-dimensional and orthonormal, over the axes H and W
of a real tensor `(..., H, W, 2)` whose last axis is (real, imaginary).

`fft2c` and `ifft2c` are centred: the zero frequency (DC) and the origin of the
image are both at `(H // 2, W // 2)`. `fft2` and `ifft2` have both in the corner
`(0, 0)`. To transform, mask and transform back, it is enough to shift the mask
and use `fft2` and `ifft2`:

    ifft2c(M * fft2c(x)) == ifft2(ifftshift(M) * fft2(x))
"""

import contextlib
import contextvars
import math

import numpy as np
from keras import ops

from loupe_tf.checks import invalid

__all__ = ["fft2", "fft2c", "fftshift", "ifft2", "ifft2c", "ifftshift"]

AXES = (-3, -2)
_BY_MATRICES = contextvars.ContextVar("by_matrices", default=False)


def fft2(x):
    """Compute the orthonormal 2-D Fourier transform, DC in the corner.

    Args:
        x: Real tensor `(..., H, W, 2)`, last axis (real, imaginary).

    Returns:
        Float32 tensor of the same shape:
        `y[k, l] = 1/√(HW) Σ x[m, n] exp(-2πi (km/H + ln/W))`.
    """
    return join(*fft2_parts(*split(standardize(x))))


def ifft2(x):
    """Compute the inverse, and adjoint, of `fft2`; same shapes."""
    return join(*ifft2_parts(*split(standardize(x))))


def fft2c(x):
    """Compute the orthonormal 2-D Fourier transform, DC at `(H // 2, W // 2)`.

    Args:
        x: Real tensor `(..., H, W, 2)`, last axis (real, imaginary): an image
            with its origin at `(H // 2, W // 2)`.

    Returns:
        Float32 tensor of the same shape: k-space, scaled such that
        `‖fft2c(x)‖₂ = ‖x‖₂`.
    """
    return fftshift(fft2(ifftshift(x)))


def ifft2c(x):
    """Compute the inverse, and adjoint, of `fft2c`; same shapes."""
    return fftshift(ifft2(ifftshift(x)))


def fftshift(x):
    """Move the origin from the corner to the centre of H and W.

    Args:
        x: Tensor `(..., H, W, C)`. An axis of length 1 is not changed, so `x`
            may also be a mask of lines `(..., 1, W, 1)`.
    """
    return ops.roll(x, [x.shape[axis] // 2 for axis in AXES], axis=AXES)


def ifftshift(x):
    """Undo `fftshift`, also for odd sizes."""
    return ops.roll(x, [-(x.shape[axis] // 2) for axis in AXES], axis=AXES)


def split(x):
    """Split `(..., H, W, 2)` into real and imaginary part, `(..., H, W)` each.

    TensorFlow is slow at reading and writing every other entry, but fast with
    a transposition. The transpositions of a `join` and of the `split` in the
    next layer are inverse, so the graph optimizer removes them.
    """
    return ops.unstack(ops.moveaxis(x, -1, 0), 2)


def join(real, imag):
    """Undo `split`."""
    return ops.moveaxis(ops.stack([real, imag]), 0, -1)


@contextlib.contextmanager
def by_matrices():
    """Compute all transforms in this context as real matrix products.

    They are slower than an FFT, but any runtime supports them; ONNX, for
    example, has no complex numbers. A function traced in this context keeps
    them, so trace a separate model.
    """
    token = _BY_MATRICES.set(True)
    try:
        yield
    finally:
        _BY_MATRICES.reset(token)


def fft2_parts(real, imag):
    """Compute `fft2` of the two parts, float32 tensors `(..., H, W)`."""
    if _BY_MATRICES.get():
        return _matrix_transform(real, imag, (-1, -2))
    scale = 1.0 / math.sqrt(real.shape[-2] * real.shape[-1])
    real, imag = ops.fft2((real, imag))
    return scale * real, scale * imag


def ifft2_parts(real, imag):
    """Compute `ifft2` of the two parts, float32 tensors `(..., H, W)`."""
    return _inverse(fft2_parts, real, imag)


def fft_parts(real, imag):
    """Compute the orthonormal transform along W alone, of `(..., H, W)`."""
    if _BY_MATRICES.get():
        return _matrix_transform(real, imag, (-1,))
    scale = 1.0 / math.sqrt(real.shape[-1])
    real, imag = ops.fft((real, imag))
    return scale * real, scale * imag


def ifft_parts(real, imag):
    """Compute the inverse, and adjoint, of `fft_parts`."""
    return _inverse(fft_parts, real, imag)


def _inverse(transform, real, imag):
    # F⁻¹(z) = conj(F(conj(z))), and i·conj(z) is z with its parts swapped. So
    # there are no signs to change, and no divisions as in `ops.ifft2`.
    imag, real = transform(imag, real)
    return real, imag


def _matrix_transform(real, imag, axes):
    # (a + ib)(C - iS) = aC + bS + i(bC - aS); C and S are symmetric.
    if -1 in axes:
        cos, sin = _matrices(real.shape[-1])
        real, imag = (
            ops.matmul(real, cos) + ops.matmul(imag, sin),
            ops.matmul(imag, cos) - ops.matmul(real, sin),
        )
    if -2 in axes:
        cos, sin = _matrices(real.shape[-2])
        real, imag = (
            ops.matmul(cos, real) + ops.matmul(sin, imag),
            ops.matmul(cos, imag) - ops.matmul(sin, real),
        )
    return real, imag


def _matrices(n):
    """Return real and negative imaginary part of the transform's matrix."""
    index = np.arange(n)
    angle = 2 * np.pi / n * (np.outer(index, index) % n)
    return [
        (part / np.sqrt(n)).astype("float32")
        for part in (np.cos(angle), np.sin(angle))
    ]


def standardize(x):
    """Check that x is real, `(..., H, W, 2)`, and cast it to float32."""
    x = ops.convert_to_tensor(x)
    if len(x.shape) < 3 or x.shape[-1] != 2 or None in x.shape[-3:-1]:
        raise invalid(
            "x",
            "a real tensor of shape (..., H, W, 2) with known H and W, the "
            "last axis being (real, imaginary)",
            found=f"shape={tuple(x.shape)}",
        )
    # No backend has an FFT in half precision.
    return ops.cast(x, "float32")
