import dataclasses

import numpy as np

from loupe_tf.checks import check_integer, check_number
from loupe_tf.reconstruction.curve_reconstructor import CurveReconstructor
from loupe_tf.reconstruction.sigpy_problem import curve_problems
from loupe_tf.reconstruction.total_variation import minimize_total_variation


@dataclasses.dataclass(frozen=True)
class CurveTotalVariation(CurveReconstructor):
    """Compressed sensing of a non-Cartesian scan, for few, sharp edges.

    It is `TotalVariation` for the samples of curves:

        min over x of  ½ Σ_m d_m |(F S x - y)_m|² + λ (‖∂ᵥ x‖₁ + ‖∂ₕ x‖₁)

    where the weights d compensate for the density of the samples (Block, Uecker
    and Frahm, "Undersampled radial MRI with multiple coils", 2007). λ is
    `regularization` times the largest magnitude of the compensated adjoint
    image. F is sigpy's. For several coils without
    maps, the root of the sum of squares of coil images. See
    `CurveReconstructor` for the arguments of a call.

    Args:
        regularization: Number of at least 0. A few thousandths are usual.
        iterations: Positive integer, number of iterations.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If sigpy is not installed (the extra `reconstruction`).

    Example:

    >>> image = loupe_tf.reconstruction.CurveTotalVariation(0.005)(
    ...     samples, trajectory, maps
    ... )
    """

    regularization: float
    iterations: int = 200

    def __post_init__(self):
        check_number("regularization", self.regularization, at_least=0)
        check_integer("iterations", self.iterations, at_least=1)

    def solve(self, scan, density, samples):
        settings = dataclasses.astuple(self)
        images = [
            minimize_total_variation(*problem, *settings)
            for problem in curve_problems(scan, density, samples)
        ]
        return np.stack([np.real(images), np.imag(images)], axis=-1)
