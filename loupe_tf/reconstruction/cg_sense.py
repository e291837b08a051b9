import dataclasses

from loupe_tf.checks import check_integer, check_number
from loupe_tf.reconstruction.curve_reconstructor import CurveReconstructor


@dataclasses.dataclass(frozen=True)
class CgSense(CurveReconstructor):
    """SENSE of a non-Cartesian scan, by conjugate gradients.

    The image minimises

        ½ Σ_m d_m |(F S x - y)_m|² + ½ λ ‖x‖²

    where the weights d compensate for the density of the samples (Pruessmann,
    Weiger, Börnert and Boesiger, "Advances in sensitivity encoding with
    arbitrary k-space trajectories", 2001). The normal operator is applied by
    FFT, see `loupe_tf.operators.Toeplitz`. Few iterations regularise as λ does:
    where the samples do not determine the image, noise grows with their
    number. For several coils without maps, the root of the sum of squares of
    coil images. See `CurveReconstructor` for the arguments.

    Args:
        regularization: Number λ of at least 0, compared with 1, the largest
            eigenvalue of `F^H D F`.
        iterations: Positive integer, number of iterations.

    Example:

    >>> image = loupe_tf.reconstruction.CgSense(1e-3)(
    ...     samples, trajectory, maps
    ... )
    """

    regularization: float = 0.0
    iterations: int = 20

    def __post_init__(self):
        check_number("regularization", self.regularization, at_least=0)
        check_integer("iterations", self.iterations, at_least=1)

    def solve(self, scan, density, samples):
        from loupe_tf.operators import Toeplitz, conjugate_gradient

        fast = Toeplitz(scan, density)

        def normal(image):
            return fast.normal(image) + self.regularization * image

        right_side = scan.adjoint(density * samples)
        return conjugate_gradient(
            normal, right_side, iterations=self.iterations
        )
