import numpy as np
from benchmark_utils.problem import (
    soft_threshold,
    wavelets,
    wavelets_inverse,
    zero_filled,
)
from benchopt import BaseSolver

from loupe_tf.numpy_fourier import fft2c, ifft2c


class Solver(BaseSolver):
    """Accelerated proximal gradient descent (Beck and Teboulle, 2009)."""

    name = "FISTA"
    sampling_strategy = "callback"
    test_config = {"objective": {"regularizer": "wavelet"}}

    def set_objective(self, kspace, mask, regularizer, weight, strength):
        self.kspace, self.mask, self.weight = kspace, mask, weight

    def skip(self, regularizer, **_):
        return regularizer != "wavelet", "for wavelets"

    def run(self, callback):
        self.image = ahead = zero_filled(self.kspace)
        momentum = 1.0
        while callback():
            residual = np.where(self.mask, fft2c(ahead) - self.kspace, 0)
            coefficients, slices = wavelets(ahead - ifft2c(residual))
            coefficients = soft_threshold(coefficients, self.weight)
            before, self.image = (
                self.image,
                wavelets_inverse(coefficients, slices),
            )
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            share = (momentum - 1) / following
            ahead = self.image + share * (self.image - before)
            momentum = following

    def get_result(self):
        return {"image": self.image}
