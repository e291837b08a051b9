"""Random changes of training images that are realistic for MRI."""

import math

import numpy as np

from loupe_tf.checks import check_choice, check_number, invalid

FLIPS = (None, "horizontal", "vertical", "horizontal_and_vertical")


class Augment:
    """Flip, rotate and scale images at random, and add noise to their k-space.

    Input and target get the same flips, rotation and intensity. The noise is
    complex, white and Gaussian in k-space, like that of a scanner. The centred
    orthonormal Fourier transform turns such noise into noise of the same kind
    and σ, so it is drawn in image space: `F⁻¹(F x + n) = x + n'`. Images with
    one channel become magnitudes, `|x + n'|`, so their noise is Rician: its
    mean is above zero where there is no signal.

    Example:

    ```python
    augment = Augment("horizontal", rotation=5, intensity=0.1, noise=0.02)
    train = pipeline("mni_brain/96", "train", augment=augment)
    ```

    Args:
        flip: `"horizontal"` (left and right, the axis W), `"vertical"` (the
            axis H) or `"horizontal_and_vertical"`, each with probability 1/2;
            `None` for none.
        rotation: Float, at least 0. Maximum rotation, in degrees to either
            side, about the pixel `(H // 2, W // 2)`. Values between pixels are
            bilinear, values outside the image are zero.
        intensity: Float in `[0, 1)`. Images are multiplied by a factor that is
            uniform in `[1 - intensity, 1 + intensity]`, so their maximum is no
            longer 1.
        noise: Float, or a pair (lowest, highest) from which each image draws
            its value: the σ of the real and of the imaginary part of the noise
            of each k-space sample, in units of the images. For images divided
            by the maximum of their volume, σ is relative to that maximum.
        snr: Float, or a pair, instead of `noise`: the ratio in dB of the mean
            power of the slice to that of the noise, `10·log10(⟨|x|²⟩ / 2σ²)`.
        noise_in: `"input"`: the target has no added noise, and the network
            learns to remove the noise. `"both"`: the target has the same noise
            as the input; metrics and losses then compare with a noisy image.

    Call arguments:
        image: float32 array of shape `(H, W, 1)`, or `(H, W, 2)` for (real,
            imaginary).
        rng: A `numpy.random.Generator` for all random values.

    Returns:
        A pair `(input, target)` of float32 arrays of the shape of `image`.
    """

    def __init__(
        self,
        flip=None,
        rotation=0.0,
        intensity=0.0,
        noise=0.0,
        snr=None,
        noise_in="input",
    ):
        self.flip = check_choice("flip", flip, FLIPS)
        self.rotation = check_number(
            "rotation", rotation, at_least=0, at_most=180
        )
        self.intensity = check_number(
            "intensity", intensity, at_least=0, below=1
        )
        self.noise = _range("noise", noise)
        if self.noise[0] < 0:
            raise invalid("noise", "numbers of at least 0", noise)
        if snr is not None and self.noise != (0, 0):
            raise invalid("snr", "`None` with `noise`", snr)
        self.snr = None if snr is None else _range("snr", snr)
        self.noise_in = check_choice("noise_in", noise_in, ("input", "both"))

    def __call__(self, image, rng):
        image = np.asarray(image, "float32")
        for axis, name in ((1, "horizontal"), (0, "vertical")):
            if self.flip and name in self.flip and rng.random() < 0.5:
                image = np.flip(image, axis)
        if self.rotation:
            angle = rng.uniform(-self.rotation, self.rotation)
            image = rotate(image, angle)
        if self.intensity:
            factor = 1 + rng.uniform(-self.intensity, self.intensity)
            image = image * np.float32(factor)
        noisy = self._add_noise(image, rng)
        return noisy, noisy if self.noise_in == "both" else image

    def _add_noise(self, image, rng):
        if self.snr is not None:
            # The mean is over pixels; the powers of two channels add up.
            power = np.sum(np.square(image), dtype="float64")
            power /= image.shape[0] * image.shape[1]
            sigma = math.sqrt(power / 2 / 10 ** (rng.uniform(*self.snr) / 10))
        elif self.noise[1]:
            sigma = rng.uniform(*self.noise)
        else:
            return image
        shape = (2, *image.shape[:2])
        real, imag = np.float32(sigma) * rng.standard_normal(shape, "float32")
        if image.shape[2] == 1:
            return np.hypot(image[..., 0] + real, imag)[..., None]
        return image + np.stack([real, imag], axis=-1)


def rotate(image, angle):
    """Rotate an image about the pixel `(H // 2, W // 2)`.

    Args:
        image: Array of shape `(H, W, C)`.
        angle: Float, in degrees; positive is counter-clockwise if the first
            row is at the top.

    Returns:
        A float32 array of the same shape, bilinear between pixels, and zero
        for pixels from outside the image.
    """
    height, width, channels = image.shape
    radians = math.radians(angle)
    cos, sin = np.float32(math.cos(radians)), np.float32(math.sin(radians))
    y = np.arange(height, dtype="float32")[:, None] - height // 2
    x = np.arange(width, dtype="float32")[None, :] - width // 2

    # The source of each pixel, in an image with a border of zeros. Sources
    # outside are clipped to the border.
    rows = cos * y + (sin * x + (height // 2 + 1))
    columns = cos * x - (sin * y - (width // 2 + 1))
    rows = np.clip(rows, 0, height + 1)
    columns = np.clip(columns, 0, width + 1)
    top = np.minimum(rows.astype("int32"), height)
    left = np.minimum(columns.astype("int32"), width)
    down = rows - top.astype("float32")
    right = columns - left.astype("float32")

    stride = width + 2
    corner = top * stride + left
    rotated = np.empty(image.shape, "float32")
    for channel in range(channels):
        flat = np.pad(image[..., channel], 1).ravel().astype("float32")
        upper = flat[corner]
        upper += right * (flat[1:][corner] - upper)
        lower = flat[stride:][corner]
        lower += right * (flat[stride + 1 :][corner] - lower)
        rotated[..., channel] = upper + down * (lower - upper)
    return rotated


def _range(name, value):
    """Turn a number or a pair into `(low, high)`."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(math.isfinite(v) for v in pair):
        raise invalid(name, "a finite number, or a pair of them", value)
    if pair[0] > pair[1]:
        raise invalid(name, "a pair (lowest, highest)", value)
    return pair
