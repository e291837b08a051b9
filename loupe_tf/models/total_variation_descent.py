import keras
from keras import ops

from loupe_tf.models.penalized_descent import PenalizedDescent


@keras.saving.register_keras_serializable(package="loupe_tf")
class TotalVariationDescent(PenalizedDescent):
    """Minimise data term and smoothed total variation by gradient descent.

        E(x) = ½ ‖A x - y‖² + λ Σ_r sqrt(|∇x(r)|² + ε²),    x ← x - η ∇E(x)

    with forward differences ∇ (Rudin, Osher and Fatemi, 1992; smoothed as in
    Lustig, Donoho and Pauly, MRM 2007). The length `η = 1 / (1 + 8 λ/ε)` makes
    E fall for every λ, if the squares of the maps add up to at most 1. The
    only weight is λ. As the logarithm is the variable, λ stays positive.

    `DeepEquilibrium` of it is the minimum of E itself, and its training chooses
    λ for a given mask by the implicit gradient, a bilevel problem. With a
    learned mask, both are learned together.

    Args:
        iterations: Integer ≥ 1, the number of steps.
        regularization: Positive float, the first λ.
        smoothing: Positive float, ε, relative to the image's root mean square
            with `normalize=True`.
        **kwargs: Further arguments of `Unrolled`, without `network` and
            `shared`.

    Inputs and output:
        As for `Unrolled`; the image is complex, `(batch, H, W, 2)`.

    Example:

    >>> step = loupe_tf.models.TotalVariationDescent(regularization=0.02)
    >>> reconstructor = loupe_tf.models.DeepEquilibrium(step, gradient="exact")
    """

    square_norm = 8

    def penalty_slope(self, image):
        axes = len(image.shape) - 3, len(image.shape) - 2
        steps = [_difference(image, axis) for axis in axes]
        power = sum(ops.sum(ops.square(d), -1, keepdims=True) for d in steps)
        length = ops.sqrt(power + self.smoothing**2)
        return sum(
            _adjoint_difference(d / length, axis)
            for d, axis in zip(steps, axes)
        )


def _difference(x, axis):
    """Return `x[i + 1] - x[i]`, and 0 at the end."""
    last = ops.take(x, [x.shape[axis] - 1], axis)
    _, rest = ops.split(ops.concatenate([x, last], axis), [1], axis)
    return rest - x


def _adjoint_difference(x, axis):
    """Apply the adjoint of `_difference` to x, which is 0 at the end."""
    zeros = [(0, 0)] * len(x.shape)
    zeros[axis] = (1, 0)
    before, _ = ops.split(ops.pad(x, zeros), [x.shape[axis]], axis)
    return before - x
