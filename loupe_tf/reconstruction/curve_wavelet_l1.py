import dataclasses

import numpy as np

from loupe_tf.checks import check_integer, check_number
from loupe_tf.reconstruction.curve_reconstructor import CurveReconstructor
from loupe_tf.reconstruction.sigpy_problem import curve_problems
from loupe_tf.reconstruction.wavelet_l1 import minimize_wavelets


@dataclasses.dataclass(frozen=True)
class CurveWaveletL1(CurveReconstructor):
    """Compressed sensing of a non-Cartesian scan, for sparse wavelets.

    It is `WaveletL1` for the samples of curves:

        min over x of  ½ Σ_m d_m |(F S x - y)_m|² + λ ‖W x‖₁

    where the weights d compensate for the density of the samples. λ is
    `regularization` times the largest magnitude of the compensated adjoint
    image. F is sigpy's. For several coils without
    maps, the root of the sum of squares of coil images. See
    `CurveReconstructor` for the arguments of a call.

    Args:
        regularization: Number of at least 0. A few thousandths are usual.
        iterations: Positive integer, number of iterations.
        wavelet: String, one of PyWavelets' orthogonal wavelets.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If sigpy is not installed (the extra `reconstruction`).

    Example:

    >>> image = loupe_tf.reconstruction.CurveWaveletL1(0.005)(
    ...     samples, trajectory, maps
    ... )
    """

    regularization: float
    iterations: int = 100
    wavelet: str = "db4"

    def __post_init__(self):
        check_number("regularization", self.regularization, at_least=0)
        check_integer("iterations", self.iterations, at_least=1)

    def solve(self, scan, density, samples):
        settings = dataclasses.astuple(self)
        images = [
            minimize_wavelets(*problem, *settings)
            for problem in curve_problems(scan, density, samples)
        ]
        return np.stack([np.real(images), np.imag(images)], axis=-1)
