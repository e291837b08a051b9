from keras import ops

from loupe_tf.operators.cartesian import fit_mask


class Compensated:
    """A non-Cartesian scan whose adjoint weighs the samples: `A` and `Aᴴ D`.

    `Aᴴ D` is the adjoint of A for the scalar product `Σ dₘ conj(yₘ) zₘ` of
    samples, so `Aᴴ D (A x - y)` is the gradient of `½ Σ dₘ |(A x - y)ₘ|²`.
    Samples that are close together then count no more than one that is alone,
    and solvers and unrolled networks need fewer iterations (Pruessmann et al.,
    "Advances in sensitivity encoding with arbitrary k-space trajectories",
    2001). It has the methods of `Cartesian`, and may stand in its place.

    Args:
        scan: `NonUniform`, A.
        density: Tensor `(1 or batch, 1, ..., 1)`, the weights D of the samples,
            as `density_compensation` returns them.

    Example:

    >>> spokes = loupe_tf.trajectories.radial(shots=16, samples=64)
    >>> scan = loupe_tf.operators.NonUniform(
    ...     spokes.positions[None], (32, 32), maps
    ... )
    >>> scan = loupe_tf.operators.Compensated(
    ...     scan, loupe_tf.operators.density_compensation(scan)
    ... )
    >>> image = image - scan.adjoint(scan.forward(image) - scan.forward(image))
    """

    def __init__(self, scan, density):
        self.scan = scan
        self.density = density

    @property
    def maps(self):
        """Tensor, the sensitivity maps of the coils, or `None`."""
        return self.scan.maps

    def forward(self, image):
        """Return the samples of an image."""
        return self.scan.forward(image)

    def adjoint(self, samples):
        """Return `Aᴴ D y`, which is close to an image."""
        density = fit_mask(self.density, samples)
        return self.scan.adjoint(ops.multiply(density, samples))

    def normal(self, image):
        """Return `adjoint(forward(image))`."""
        return self.adjoint(self.forward(image))
