import dataclasses

from loupe_tf.reconstruction.sparse_curve import SparseCurve
from loupe_tf.reconstruction.wavelet_l1 import minimize_wavelets


@dataclasses.dataclass(frozen=True)
class CurveWaveletL1(SparseCurve):
    """Compressed sensing of a non-Cartesian scan, for sparse wavelets.

    It is `WaveletL1` for the samples of curves:

        min over x of  ½ Σ_m d_m |(F S x - y)_m|² + λ ‖W x‖₁

    where the weights d compensate for the density of the samples. λ is
    `regularization` times the largest magnitude of the compensated adjoint
    image. For several coils without maps, the root of the sum of squares of
    coil images. See `CurveReconstructor` for the arguments of a call.

    Args:
        regularization: Number of at least 0. A few thousandths are usual.
        iterations: Positive integer, number of iterations.
        wavelet: String, one of PyWavelets' orthogonal wavelets.
        cycle_spinning: Boolean, `False` to keep the wavelets in one place.

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
    cycle_spinning: bool = True

    minimize = staticmethod(minimize_wavelets)
