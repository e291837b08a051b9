import dataclasses

import numpy as np

from loupe_tf.checks import (
    check_choice,
    check_integer,
    check_number,
    invalid,
)
from loupe_tf.reconstruction.reconstructor import Reconstructor
from loupe_tf.reconstruction.sigpy_problem import (
    import_sigpy,
    largest_eigenvalue,
    largest_pixel,
    seen,
    weights,
)


@dataclasses.dataclass(frozen=True)
class WaveletL1(Reconstructor):
    """Compressed sensing for an image that is sparse in wavelets.

    FISTA solves

        min over x of  ½ Σᵢ ‖M F Sᵢ x - yᵢ‖₂² + λ ‖W x‖₁

    for several coils, with wavelets W of orthogonal filters (Lustig, Donoho and
    Pauly, "Sparse MRI", 2007). λ is `regularization` times the largest
    magnitude of the zero-filled image, so k-space may have any unit.

    In each iteration, the image is shifted by a random offset before its
    wavelets are thresholded ("cycle spinning"), because edges would otherwise
    show the dyadic grid. Every call uses the same offsets. So W is another one
    each time, and the image ends near the minimum of no fixed objective.
    Without cycle spinning it ends in that of the objective above for Haar
    wavelets and sizes that 2 divides often enough. Beyond the border, longer
    ones, such as the default, see zeros: W then has more coefficients than
    pixels, thresholding is not quite its proximal map, and the objective stays
    a little above its minimum (0.4 % in one example of 32×32). Pixels where all
    maps are 0 are set to 0 only at the end, so that W may continue the object
    there without an edge.

    Args:
        regularization: Number of at least 0. A few thousandths are usual;
            `choose_regularization` finds a good value.
        iterations: Positive integer, number of iterations.
        wavelet: String, one of PyWavelets' orthogonal wavelets.
        cycle_spinning: Boolean, `False` to keep the wavelets in one place.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If sigpy is not installed (the extra `reconstruction`).

    Example:

    >>> image = WaveletL1(0.005)(kspace, mask, maps)  # complex64 (H, W)
    """

    regularization: float
    iterations: int = 100
    wavelet: str = "db4"
    cycle_spinning: bool = True

    needs_sigpy = True

    def __post_init__(self):
        check_number("regularization", self.regularization, at_least=0)
        check_integer("iterations", self.iterations, at_least=1)
        check_choice("cycle_spinning", self.cycle_spinning, (True, False))

    def reconstruct(self, kspace, mask, maps):
        sigpy = import_sigpy()
        scale = largest_pixel(kspace, mask, maps)
        operator = sigpy.mri.linop.Sense(maps, weights=weights(mask))
        return minimize_wavelets(
            operator,
            kspace,
            maps,
            scale,
            self.regularization,
            self.iterations,
            self.wavelet,
            self.cycle_spinning,
        )


def minimize_wavelets(
    operator,
    measured,
    maps,
    scale,
    regularization,
    iterations,
    wavelet,
    cycle_spinning,
):
    """Solve the problem of `WaveletL1`.

    Args:
        operator, measured, maps, scale: As for `minimize_total_variation`.
        regularization, iterations, wavelet, cycle_spinning: Those of
            `WaveletL1`.

    Returns:
        Complex64 array of the size of the maps.
    """
    sigpy = import_sigpy()
    _check_wavelet(wavelet)
    size = maps.shape[1:]
    axes = tuple(range(len(size)))
    if scale == 0:
        return np.zeros(size, np.complex64)
    wavelets = sigpy.linop.Wavelet(size, wave_name=wavelet)
    rng = np.random.default_rng(0)

    def threshold(step, image):
        shift = rng.integers(0, size) if cycle_spinning else (0,) * len(size)
        coefficients = sigpy.thresh.soft_thresh(
            step * regularization,
            wavelets(np.roll(image, shift, axes)),
        )
        return np.roll(wavelets.H(coefficients), np.negative(shift), axes)

    image = sigpy.app.LinearLeastSquares(
        operator,
        measured / scale,
        proxg=threshold,
        alpha=1 / largest_eigenvalue(maps),
        max_iter=iterations,
        show_pbar=False,
    ).run()
    return np.where(seen(maps), scale * image, 0).astype(np.complex64)


def _check_wavelet(wavelet):
    import pywt

    known = pywt.wavelist(kind="discrete")
    if wavelet not in known or not pywt.Wavelet(wavelet).orthogonal:
        raise invalid(
            "wavelet",
            "an orthogonal wavelet of PyWavelets, such as 'db4'",
            wavelet,
        )
