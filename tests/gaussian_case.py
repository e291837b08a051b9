"""A Gaussian prior, its scans, and their exact posterior."""

import numpy as np

from loupe_tf.layers import GaussianScore
from loupe_tf.operators import Cartesian


def channels(x):
    return np.stack([x.real, x.imag], axis=-1).astype("float32")


def fft2c(x):
    axes = (-2, -1)
    x = np.fft.fft2(np.fft.ifftshift(x, axes), norm="ortho")
    return np.fft.fftshift(x, axes)


def ifft2c(x):
    axes = (-2, -1)
    x = np.fft.ifft2(np.fft.ifftshift(x, axes), norm="ortho")
    return np.fft.fftshift(x, axes)


class Case:
    """Images of a 1/f spectrum, every column or one in four measured."""

    def __init__(self, size, batch, sigma, acceleration=4, seed=0):
        rng = np.random.default_rng(seed)
        height, width = size
        y, x = (np.arange(n) - n // 2 for n in size)
        self.power = 0.2 / (1 + y[:, None] ** 2 + x**2)
        self.mask = np.arange(width) % acceleration == width // 2 % acceleration
        self.mask = np.broadcast_to(self.mask, size)
        self.sigma = sigma

        def normal():
            pair = rng.normal(size=(2, batch, *size))
            return pair[0] + 1j * pair[1]

        spectrum = np.sqrt(self.power) * normal()
        measured = np.where(self.mask, spectrum + sigma * normal(), 0)
        self.truth = channels(ifft2c(spectrum))
        self.kspace = channels(measured)[:, None]
        self.mean = self.power / (self.power + sigma**2) * measured
        precision = 1 / self.power
        if sigma:
            precision = precision + self.mask / sigma**2
            self.variance = 1 / precision
        else:
            self.variance = np.where(self.mask, 0, self.power)
        self.scan = Cartesian(self.mask[None, ..., None].astype("float32"))
        self.score = GaussianScore(self.power)

    def spectrum_of(self, images):
        """The k-space `(..., H, W)`, complex, of (real, imaginary) images."""
        return fft2c(images[..., 0] + 1j * images[..., 1])
