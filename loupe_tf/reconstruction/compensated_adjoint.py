import dataclasses

from loupe_tf.reconstruction.curve_reconstructor import CurveReconstructor


@dataclasses.dataclass(frozen=True)
class CompensatedAdjoint(CurveReconstructor):
    """Adjoint of a non-Cartesian scan with density compensation.

    The image is `x = c S^H F^H D y`, for several coils without maps the root
    of the sum of squares. The number c is the one with which the samples
    `A x` of the image fit y best, in the norm of D, so the image has the unit
    of the samples. See `CurveReconstructor` for the arguments.

    Example:

    >>> image = loupe_tf.reconstruction.CompensatedAdjoint()(
    ...     samples, trajectory, maps
    ... )
    """

    def solve(self, scan, density, samples):
        from keras import ops

        image = scan.adjoint(density * samples)
        measured = scan.forward(image)
        axes = tuple(range(1, len(samples.shape)))
        over = ops.sum(density * measured * samples, axes)
        under = ops.sum(density * measured * measured, axes)
        scale = over / ops.maximum(under, 1e-30)
        missing = (1,) * (len(image.shape) - 1)
        return image * ops.reshape(scale, (-1, *missing))
