import dataclasses

import numpy as np

from loupe_tf.checks import check_integer, check_number
from loupe_tf.reconstruction.primal_dual import minimize_magnitudes
from loupe_tf.reconstruction.reconstructor import Reconstructor
from loupe_tf.reconstruction.sigpy_problem import (
    import_sigpy,
    largest_eigenvalue,
    largest_pixel,
    seen,
    weights,
)


@dataclasses.dataclass(frozen=True)
class TotalVariation(Reconstructor):
    """Compressed sensing for an image with few, sharp edges.

    The primal-dual method of Chambolle and Pock solves

        min over x of  ½ Σᵢ ‖M F Sᵢ x - yᵢ‖₂² + λ (‖∂ᵥ x‖₁ + ‖∂ₕ x‖₁)

    for Cartesian samples of several coils (Block, Uecker and Frahm,
    "Undersampled radial MRI with multiple coils", 2007). ∂ᵥ and ∂ₕ are
    differences of neighbouring pixels, cyclic at the border. x is 0 where all
    maps are 0, which is outside the object for maps cropped to it. λ is
    `regularization` times the largest magnitude of the zero-filled image, so
    k-space may have any unit.

    Args:
        regularization: Number of at least 0. A few thousandths are usual;
            `choose_regularization` finds a good value.
        iterations: Positive integer, number of iterations.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If sigpy is not installed (the extra `reconstruction`).

    Example:

    >>> image = TotalVariation(0.005)(kspace, mask, maps)  # complex64 (H, W)
    """

    regularization: float
    iterations: int = 200

    needs_sigpy = True

    def __post_init__(self):
        check_number("regularization", self.regularization, at_least=0)
        check_integer("iterations", self.iterations, at_least=1)

    def reconstruct(self, kspace, mask, maps):
        sigpy = import_sigpy()
        scale = largest_pixel(kspace, mask, maps)
        operator = sigpy.mri.linop.Sense(maps, weights=weights(mask))
        return minimize_total_variation(
            operator, kspace, maps, scale, self.regularization, self.iterations
        )


def minimize_total_variation(
    operator, measured, maps, scale, regularization, iterations
):
    """Solve the problem of `TotalVariation`.

    Args:
        operator: `sigpy.linop.Linop` from the image to what is measured; its
            squared norm is at most that of the maps.
        measured: Complex array, the output of the operator.
        maps: Complex array `(coils, H, W)`, or `(coils, D, H, W)`.
        scale: Float, the largest pixel of the adjoint image, the unit of λ.
        regularization, iterations: Those of `TotalVariation`.

    Returns:
        Complex64 array of the size of the maps.
    """
    sigpy = import_sigpy()
    size = maps.shape[1:]
    if scale == 0:
        return np.zeros(size, np.complex64)
    # Dual variables are at most λ, pixels about 1. Step sizes of that ratio
    # converge. With equal step sizes, masks without a centre take thousands of
    # iterations.
    step = min(max(4 * regularization, 1e-3), 1.0)
    differences = sigpy.linop.FiniteDifference(size) * sigpy.linop.Multiply(
        size, seen(maps)
    )
    image = minimize_magnitudes(
        operator,
        measured / scale,
        differences,
        regularization,
        # The squared norm of the differences is at most 4 along each axis.
        norm=largest_eigenvalue(maps) + 4 * len(size),
        dual_step=step,
        iterations=iterations,
    )
    return (scale * image).astype(np.complex64)
