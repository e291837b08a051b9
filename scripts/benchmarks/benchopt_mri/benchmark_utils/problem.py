"""The terms of the objective, in double precision."""

import numpy as np
import pywt

from loupe_tf.numpy_fourier import fft2c, ifft2c

WAVELET = "haar"
"""Orthonormal on images whose sides are powers of two, so its prox is exact."""


def differences(x):
    """Differences of neighbouring pixels along both axes, `(2, H, W)`."""
    return np.stack([np.roll(x, -1, axis) - x for axis in (0, 1)])


def differences_adjoint(z):
    """The adjoint of `differences`."""
    return sum(np.roll(z[axis], 1, axis) - z[axis] for axis in (0, 1))


def wavelets(x):
    """The coefficients of an image, `(H, W)`."""
    coefficients = pywt.wavedec2(x, WAVELET, mode="periodization")
    return pywt.coeffs_to_array(coefficients)


def wavelets_inverse(coefficients, slices):
    """The image of coefficients."""
    tree = pywt.array_to_coeffs(coefficients, slices, output_format="wavedec2")
    return pywt.waverec2(tree, WAVELET, mode="periodization")


def soft_threshold(x, threshold):
    """Bring magnitudes closer to 0 by `threshold`."""
    size = np.abs(x)
    return x * np.maximum(1 - threshold / np.maximum(size, 1e-300), 0)


def objective_value(image, kspace, mask, regularizer, weight):
    """Return `½ ‖M F x - y‖² + λ R(x)`.

    Args:
        image: Complex array `(H, W)`.
        kspace: Complex array `(H, W)`, 0 where not acquired.
        mask: Boolean array `(H, W)`.
        regularizer: `"tv"` or `"wavelet"`.
        weight: Float, λ.

    Returns:
        Float.
    """
    image = np.asarray(image, np.complex128)
    residual = np.where(mask, fft2c(image) - kspace, 0)
    terms = differences(image) if regularizer == "tv" else wavelets(image)[0]
    return float(
        0.5 * np.sum(np.abs(residual) ** 2) + weight * np.sum(np.abs(terms))
    )


def psnr(image, truth):
    """Return -10 log10(MSE) of the magnitude; the truth's maximum is 1."""
    return float(-10 * np.log10(np.mean((np.abs(image) - truth) ** 2)))


def measure(truth, mask, noise, seed):
    """Sample the k-space of an image, with complex noise.

    Args:
        truth: Real array `(H, W)`.
        mask: Boolean array `(H, W)`.
        noise: Float, the standard deviation of real and imaginary part.
        seed: Integer.

    Returns:
        Complex array `(H, W)`, 0 where not acquired.
    """
    draws = np.random.default_rng(seed).normal(size=(2, *truth.shape))
    kspace = fft2c(truth) + noise * (draws[0] + 1j * draws[1])
    return np.where(mask, kspace, 0)


def zero_filled(kspace):
    """Return the image of k-space that is 0 where not acquired."""
    return ifft2c(kspace)


def make_mask(kind, acceleration, size):
    """Return the points of a mask, a boolean array `(H, W)`.

    Args:
        kind: `"gaussian"`, or `"learned"`: those of the model of the zoo.
        acceleration: Number R.
        size: Tuple `(H, W)`.
    """
    from loupe_tf import masks, zoo

    if kind == "gaussian":
        return masks.gaussian(size, acceleration, calibration=8).array
    model = zoo.load(f"flair64_points_r{acceleration:g}_unet")
    return masks.from_model(model).array
