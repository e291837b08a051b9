import dataclasses

from loupe_tf.reconstruction.sparse_curve import SparseCurve
from loupe_tf.reconstruction.total_variation import minimize_total_variation


@dataclasses.dataclass(frozen=True)
class CurveTotalVariation(SparseCurve):
    """Compressed sensing of a non-Cartesian scan, for few, sharp edges.

    It is `TotalVariation` for the samples of curves:

        min over x of  ½ Σ_m d_m |(F S x - y)_m|² + λ (‖∂ᵥ x‖₁ + ‖∂ₕ x‖₁)

    where the weights d compensate for the density of the samples (Block, Uecker
    and Frahm, "Undersampled radial MRI with multiple coils", 2007). λ is
    `regularization` times the largest magnitude of the compensated adjoint
    image. For several coils without maps, the root of the sum of squares of
    coil images. See `CurveReconstructor` for the arguments of a call.

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

    minimize = staticmethod(minimize_total_variation)
