import math

import keras
from keras import ops

from loupe_tf.checks import check_number
from loupe_tf.models.unrolled import Unrolled


class PenalizedDescent(Unrolled):
    """Base of gradient descent on a data term and a smoothed penalty.

        E(x) = ½ ‖A x - y‖² + λ Σ_i sqrt(|(T x)_i|² + ε²),    x ← x - η ∇E(x)

    with a linear map T. The length `η = 1 / (1 + ‖T‖² λ/ε)` makes E fall for
    every λ, if the squares of the maps add up to at most 1. The only weight is
    λ. As the logarithm is the variable, λ stays positive.

    `DeepEquilibrium` of it is the minimum of E itself, and its training chooses
    λ for a given mask by the implicit gradient, a bilevel problem. With a
    learned mask, both are learned together.

    A subclass has the bound `square_norm` of ‖T‖², and implements
    `penalty_slope`.

    Args:
        iterations: Integer ≥ 1, the number of steps.
        regularization: Positive float, the first λ.
        smoothing: Positive float, ε, relative to the image's root mean square
            with `normalize=True`.
        **kwargs: Further arguments of `Unrolled`, without `network` and
            `shared`.

    Inputs and output:
        As for `Unrolled`; the image is complex, `(batch, H, W, 2)`.
    """

    square_norm = 1

    def __init__(
        self, iterations=50, regularization=0.01, smoothing=0.05, **kwargs
    ):
        super().__init__(None, iterations, shared=True, **kwargs)
        self.regularization = check_number(
            "regularization", regularization, above=0
        )
        self.smoothing = check_number("smoothing", smoothing, above=0)

    @classmethod
    def unet_channels(cls, **kwargs):
        raise NotImplementedError(
            f"{cls.__name__} has a penalty in the place of a network"
        )

    def build(self, input_shape):
        self.log_regularization = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(
                math.log(self.regularization)
            ),
            name="log_regularization",
        )

    def penalty_slope(self, image):
        """Return `Tᴴ (T x / sqrt(|T x|² + ε²))` of images (..., H, W, 2)."""
        raise NotImplementedError

    def start(self, scan, kspace):
        return (scan.adjoint(kspace),)

    def step(self, index, scan, kspace, image, training=None):
        weight = ops.exp(self.log_regularization)
        length = 1 / (1 + self.square_norm * weight / self.smoothing)
        slope = scan.adjoint(scan.forward(image) - kspace)
        slope = slope + weight * self.penalty_slope(image)
        return (image - length * slope,)

    def finish(self, scan, image):
        return image

    def get_config(self):
        config = super().get_config()
        del config["network"], config["shared"]
        return {
            **config,
            "regularization": self.regularization,
            "smoothing": self.smoothing,
        }
