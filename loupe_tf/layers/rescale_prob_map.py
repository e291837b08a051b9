import keras
from keras import ops

from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks import calibration_region


@keras.saving.register_keras_serializable(package="loupe_tf")
class RescaleProbMap(Float32Layer):
    """Move a probability mask so that its mean is exactly the sparsity.

    Equation 5 of the 4S paper (Martinini et al., BioCAS 2022), with
    `r = sparsity` and `⟨S⟩` the mean of S:

        P = r / ⟨S⟩ · S                        if ⟨S⟩ ≥ r
        P = 1 - (1 - r) / (1 - ⟨S⟩) · (1 - S)  if ⟨S⟩ < r

    With a calibration region, P is 1 there and the equation runs over the
    other entries alone, with what is left of the budget, so that the mean of
    the whole P is still r.

    Args:
        sparsity: Float in (0, 1), `r = 1 / R`.
        calibration: `None`, or the size of the calibration region: an integer
            (lines, or the side of a square) or a pair `(h, w)`.

    Input shape:
        `(1, H, W, 1)`; H or W may be 1. Probabilities in [0, 1].

    Output shape:
        The same, float32, in [0, 1].

    Example:

    >>> prob = np.random.uniform(size=(1, 32, 32, 1))
    >>> float(ops.mean(loupe_tf.layers.RescaleProbMap(0.25)(prob)))
    0.25
    """

    def __init__(self, sparsity, calibration=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 < sparsity < 1:
            raise ValueError(
                "Invalid value for argument `sparsity`. Expected a number in "
                f"(0, 1), one over the acceleration. Received: {sparsity}"
            )
        self.sparsity = float(sparsity)
        self.calibration = calibration

    def build(self, input_shape):
        shape = input_shape[1:3]
        size = shape[0] * shape[1]
        self._calibration_mask = None
        acquired = 0
        if self.calibration is not None:
            region = calibration_region(shape, self.calibration)
            self._calibration_mask = region[None, :, :, None]
            acquired = int(region.sum())
        if acquired > round(self.sparsity * size) or acquired == size:
            raise ValueError(
                "Infeasible argument `calibration`. Expected a region of at "
                f"most the budget of {round(self.sparsity * size)} of {size} "
                f"entries. Received: calibration={self.calibration}, "
                f"{acquired} entries"
            )
        self._free = size - acquired
        self._free_sparsity = max(
            0.0, (self.sparsity * size - acquired) / self._free
        )

    def call(self, prob):
        r = self._free_sparsity
        region = self._calibration_mask
        if region is not None:
            prob = ops.where(region, 0.0, prob)
        mean = ops.sum(prob) / self._free
        # Each denominator is bounded by its value where the branches meet, so
        # that the branch not taken has a finite value and gradient too.
        tiny = keras.config.epsilon()
        down = r / ops.maximum(mean, max(r, tiny)) * prob
        up = 1 - (1 - r) / ops.maximum(1 - mean, 1 - r) * (1 - prob)
        rescaled = ops.where(mean >= r, down, up)
        if region is not None:
            rescaled = ops.where(region, 1.0, rescaled)
        return rescaled

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "sparsity": self.sparsity,
            "calibration": self.calibration,
        }
