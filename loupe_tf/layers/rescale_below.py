import keras
import numpy as np
from keras import ops

from loupe_tf.checks import invalid
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.layers.rescale_prob_map import equation_5, standardize_sparsity
from loupe_tf.masks.arguments import standardize_probability
from loupe_tf.masks.budget import calibration_region


@keras.saving.register_keras_serializable(package="loupe_tf")
class RescaleBelow(Float32Layer):
    """Move a probability mask to a mean, and keep it below a ceiling.

    A mask that is drawn inside of scans cannot acquire an entry more often
    than the scans do. With C the ceiling, `r = sparsity` and ⟨S⟩ the mean of S
    with weights C, outside the calibration region,

        P = C ∘ π,    π = r' / ⟨S⟩ · S                        if ⟨S⟩ ≥ r'
                      π = 1 - (1 - r') / (1 - ⟨S⟩) · (1 - S)  if ⟨S⟩ < r'

    which is equation 5 of the 4S paper (Martinini et al., BioCAS 2022) for π,
    the share of the ceiling. r' is such that the mean of P is exactly r,
    calibration region included, where P is 1. With C = 1 this is
    `RescaleProbMap`.

    Args:
        sparsity: Float in (0, 1), `r = 1 / R`.
        ceiling: Array `(H, W)`, `(1, W)` or `(H, 1)`, C, in [0, 1], with DC at
            `(H // 2, W // 2)`.
        calibration: `None`, or the size of the calibration region, an integer
            or `(h, w)`. The ceiling must be 1 there.

    Input shape:
        `(1, H, W, 1)`: probabilities in [0, 1]. H or W may be 1.

    Output shape:
        Same as the input; float32 in [0, C].

    Raises:
        ValueError: If an argument is invalid, or if the ceiling leaves less
            than the budget.

    Example:

    >>> prob = np.random.uniform(size=(1, 32, 32, 1))
    >>> ceiling = np.full((32, 32), 0.5)
    >>> rescaled = loupe_tf.layers.RescaleBelow(0.25, ceiling)(prob)
    >>> round(float(np.mean(rescaled)), 3), bool(np.max(rescaled) <= 0.5)
    (0.25, True)
    """

    def __init__(self, sparsity, ceiling, calibration=None, **kwargs):
        super().__init__(**kwargs)
        self.sparsity = standardize_sparsity(sparsity)
        if isinstance(self.sparsity, tuple):
            raise invalid("sparsity", "one number in (0, 1)", sparsity)
        self.ceiling = standardize_probability("ceiling", ceiling)
        self.calibration = calibration
        required = calibration_region(self.ceiling.shape, calibration)
        missing = required & (self.ceiling < 1)
        if missing.any():
            raise invalid(
                "calibration",
                "a region that all scans acquire, where the ceiling (the "
                "`probability` of `WithinScan`) is 1, or calibration=None",
                found=f"calibration={calibration}, of which {missing.sum()} "
                "entries have a lower ceiling",
            )
        self._required = required[None, ..., None]
        free = np.where(required, 0.0, self.ceiling).astype("float32")
        self._free = free[None, ..., None]
        wanted = self.sparsity * free.size - required.sum()
        self._total = float(free.sum(dtype="float64"))
        if not 0 <= wanted <= self._total:
            raise invalid(
                "sparsity",
                "one over an acceleration whose budget holds the calibration "
                "region and is below the sum of the ceiling, that is from "
                f"{required.sum() / free.size:.3g} to "
                f"{self.ceiling.mean(dtype='float64'):.3g}",
                sparsity,
            )
        self._share = wanted / max(self._total, 1e-9)

    def build(self, input_shape):
        if tuple(input_shape) != (1, *self.ceiling.shape, 1):
            raise invalid(
                "ceiling",
                f"the shape {tuple(input_shape)[1:3]} of the probability mask",
                found=f"shape={self.ceiling.shape}",
            )

    def call(self, prob):
        free = ops.convert_to_tensor(self._free, "float32")
        mean = ops.sum(free * prob) / max(self._total, 1e-9)
        prob = free * equation_5(prob, mean, self._share)
        return ops.where(self._required, 1.0, prob)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "sparsity": self.sparsity,
            "ceiling": self.ceiling.tolist(),
            "calibration": self.calibration,
        }
