import keras
from keras import ops

from loupe_tf.checks import check_integer, invalid
from loupe_tf.layers import HaarTransform
from loupe_tf.models.penalized_descent import PenalizedDescent


@keras.saving.register_keras_serializable(package="loupe_tf")
class WaveletDescent(PenalizedDescent):
    """Minimise data term and smoothed ℓ1 norm of wavelets by gradient descent.

        E(x) = ½ ‖A x - y‖² + λ Σ_i sqrt(|(W x)_i|² + ε²),    x ← x - η ∇E(x)

    with the details W of the orthonormal Haar transform; the coarsest image is
    not penalised (Lustig, Donoho and Pauly, "Sparse MRI", MRM 2007). The length
    `η = 1 / (1 + λ/ε)` makes E fall for every λ, if the squares of the maps add
    up to at most 1. The only weight is λ. As the logarithm is the variable, λ
    stays positive.

    `DeepEquilibrium` of it is the minimum of E itself, and its training chooses
    λ for a given mask by the implicit gradient, as that of
    `TotalVariationDescent` does.

    Args:
        iterations: Integer ≥ 1, the number of steps.
        regularization: Positive float, the first λ.
        smoothing: Positive float, ε, relative to the image's root mean square
            with `normalize=True`.
        levels: Integer ≥ 1, the number of levels of the transform.
        **kwargs: Further arguments of `Unrolled`, without `network` and
            `shared`.

    Inputs and output:
        As for `Unrolled`; the image is complex, `(batch, H, W, 2)`.

    Raises:
        ValueError: If an argument is invalid; when it is built, if `2^levels`
            does not divide H and W.

    Example:

    >>> step = loupe_tf.models.WaveletDescent(regularization=0.02, levels=2)
    >>> reconstructor = loupe_tf.models.DeepEquilibrium(step, gradient="exact")
    """

    def __init__(
        self,
        iterations=50,
        regularization=0.01,
        smoothing=0.05,
        levels=3,
        **kwargs,
    ):
        super().__init__(iterations, regularization, smoothing, **kwargs)
        self.levels = check_integer("levels", levels, at_least=1)
        self.transform = HaarTransform()
        self.inverse_transform = HaarTransform(inverse=True)

    def build(self, input_shape):
        super().build(input_shape)
        size = tuple(input_shape[0][-3:-1])
        if any((n or 0) % 2**self.levels for n in size):
            raise invalid(
                "levels",
                "a number for which 2^levels divides H and W",
                found=f"levels={self.levels} for size {size}",
            )

    def penalty_slope(self, image):
        # The transform knows no axis of slices.
        flat = ops.reshape(image, (-1, *ops.shape(image)[-3:]))
        return ops.reshape(self._slope(flat, self.levels), ops.shape(image))

    def _slope(self, image, levels):
        if not levels:
            return ops.zeros_like(image)
        bands = self.transform(image)
        coarse, *details = ops.split(bands, 4, -1)
        scaled = [
            x / ops.sqrt(ops.sum(ops.square(x), -1, True) + self.smoothing**2)
            for x in details
        ]
        return self.inverse_transform(
            ops.concatenate([self._slope(coarse, levels - 1), *scaled], -1)
        )

    def get_config(self):
        return {**super().get_config(), "levels": self.levels}
