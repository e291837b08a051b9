import dataclasses

import numpy as np

from loupe_tf.checks import check_integer, check_number
from loupe_tf.numpy_operators import adjoint
from loupe_tf.reconstruction.reconstructor import Reconstructor
from loupe_tf.reconstruction.sigpy_problem import import_sigpy, weights


@dataclasses.dataclass(frozen=True)
class Sense(Reconstructor):
    """SENSE: the image that fits the samples of all coils best.

    Conjugate gradients solve

        min over x of  ½ Σᵢ ‖M F Sᵢ x - yᵢ‖₂² + ½ λ ‖x‖₂²

    (Pruessmann, Weiger, Börnert and Boesiger, "Advances in sensitivity
    encoding with arbitrary k-space trajectories", 2001). Where the coils
    cannot separate aliased pixels, noise grows with the number of iterations,
    so few iterations regularise as λ does.

    Args:
        regularization: Number λ of at least 0. If the squared magnitudes of
            the maps sum to 1, compare λ with 1.
        iterations: Positive integer, the largest number of iterations.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If sigpy is not installed (the extra `reconstruction`).

    Example:

    >>> image = Sense(1e-3)(kspace, mask, maps)  # complex64 (H, W)
    """

    regularization: float = 0.0
    iterations: int = 30

    needs_sigpy = True

    def __post_init__(self):
        check_number("regularization", self.regularization, at_least=0)
        check_integer("iterations", self.iterations, at_least=1)

    def reconstruct(self, kspace, mask, maps):
        sigpy = import_sigpy()
        start = np.linalg.norm(adjoint(kspace, mask, maps))
        image = sigpy.mri.app.SenseRecon(
            kspace,
            maps,
            lamda=self.regularization,
            weights=weights(mask),
            max_iter=self.iterations,
            # More precision than float32 has no use.
            tol=1e-6 * float(start),
            show_pbar=False,
        ).run()
        return image.astype(np.complex64)
