import math

from keras import ops

from loupe_tf.operators.coils import combine_coils, expand_coils
from loupe_tf.operators.non_uniform import NonUniform, transform


class Toeplitz:
    """Normal operator of a non-Cartesian scan, `x ↦ S^H F^H D F S x`, by FFT.

    `F^H D F` is a convolution with the point-spread function

        p(r) = 1/(HW) Σ_m d_m exp(2πi k_m·r)

    whose transform is computed once, on a grid of twice the image's size; each
    application is then an FFT, a product and an inverse FFT, whatever the
    number of samples (Wajer and Pruessmann, "Major speedup of reconstruction
    for sensitivity encoding with arbitrary trajectories", ISMRM 2001). It
    serves solvers, which need only the normal operator and the adjoint of the
    data. It agrees with `scan.normal` to the accuracy of the scan.

    Args:
        scan: `NonUniform`.
        density: (Optional) tensor `(1 or batch, 1, ..., 1)`, the weights D of
            the samples, as `density_compensation` returns them.

    Example:

    >>> spokes = loupe_tf.trajectories.radial(shots=16, samples=64)
    >>> scan = loupe_tf.operators.NonUniform(
    ...     spokes.positions[None], (32, 32), maps
    ... )
    >>> fast = loupe_tf.operators.Toeplitz(scan)
    >>> residual = fast.normal(image) - scan.adjoint(scan.forward(image))
    """

    def __init__(self, scan, density=None):
        self.size = scan.size
        self.maps = scan.maps
        shape = ops.shape(scan.positions)
        one = (shape[0], 1, *shape[1:-1], 1)
        weights = ops.ones(one) if density is None else density
        weights = ops.cast(weights, "float32")
        samples = ops.concatenate([weights, ops.zeros_like(weights)], -1)
        double = tuple(2 * n for n in scan.size)
        # The adjoint of the weights, at the distances between two pixels.
        spread = NonUniform(scan.positions, double, accuracy=scan.accuracy)
        spread = spread.adjoint(samples)
        axes = tuple(range(1, 1 + len(double)))
        spread = ops.roll(spread, [-n for n in scan.size], axes)
        # With real weights, p(-r) is conj p(r): the transform is real. Only
        # the distance N, which no two pixels have, breaks that symmetry.
        real, _ = transform(spread[..., 0], spread[..., 1], len(double))
        scale = math.sqrt(math.prod(double)) / math.prod(scan.size)
        self._kernel = real * (scale / math.prod(double))

    def normal(self, image):
        """Apply the operator to an image, as `NonUniform.normal` does."""
        image = ops.cast(image, "float32")
        coils = ops.moveaxis(expand_coils(image, self.maps), -1, 0)
        axes, shape = len(self.size), ops.shape(coils)
        zeros = [(0, 0)] * (len(shape) - axes) + [(0, n) for n in self.size]
        real, imag = transform(*ops.unstack(ops.pad(coils, zeros), 2), axes)
        missing = len(shape) - 2 - axes
        kernel = ops.expand_dims(self._kernel, tuple(range(1, 1 + missing)))
        # The inverse, as in `fourier.ifft2`.
        imag, real = transform(imag * kernel, real * kernel, axes)
        inside = (..., *(slice(n) for n in self.size))
        coils = ops.stack([real[inside], imag[inside]], -1)
        return combine_coils(coils, self.maps)
