import keras
import numpy as np

from loupe_tf.checks import check_number, invalid
from loupe_tf.layers import MaskWithin, ProbMask, RescaleBelow
from loupe_tf.masks.arguments import standardize_probability
from loupe_tf.masks.budget import calibration_region
from loupe_tf.masks.metadata import lines_of
from loupe_tf.samplers.learned import Learned


@keras.saving.register_keras_serializable(package="loupe_tf")
class WithinScan(Learned):
    """A learned mask, trained on scans that are themselves undersampled.

    The scans were acquired by random masks, each entry independently with a
    known probability P₀. A share h of what they acquired is held out, and the
    mask is drawn among the rest, so an entry is offered to it with the
    probability

        C = P₀ (1 - h),    C = 1 in the calibration region

    The learned probabilities P are at most C, and their mean is 1/R: the
    budget is counted with this ceiling (`RescaleBelow`). In training an entry
    that is offered is acquired with the probability P / C, and any entry thus
    with P (`MaskWithin`). At inference the mask has the entries of largest
    P / C, exactly the budget. `loupe_tf.regimes.FromScans` trains it.

    The ceiling limits what can be learned: P can tell entries apart only if
    the scans acquired much more than 1/R. With `⟨C⟩ = 1/R` there is no choice.

    Args:
        acceleration: Float R > 1 of the learned mask. 1/R is at most the mean
            of C.
        probability: Array P₀, `(H, W)` for points, `(1, W)` or `(H, 1)` for
            lines, in [0, 1], with DC at `(H // 2, W // 2)`. The masks of the
            scans then have the same kind.
        hold_out: Float in (0, 1), the share h.
        calibration, estimator, slope, prob_slope, binarization, seed: As for
            `LearnedMask`. P₀ must be 1 in the calibration region. An estimator
            with an exact budget does not fit.

    Raises:
        ValueError: If an argument is invalid, or if the scans do not acquire
            the budget or the calibration region.
    """

    def __init__(self, acceleration, probability, hold_out=0.3, **kwargs):
        super().__init__(**kwargs)
        self.acceleration = check_number("acceleration", acceleration, above=1)
        self.probability = standardize_probability("probability", probability)
        self.hold_out = check_number("hold_out", hold_out, above=0, below=1)
        self.lines = lines_of(self.probability.shape)
        reference = keras.KerasTensor((None, *self.probability.shape, 1))
        sparsity = 1 / self.acceleration
        self.region = calibration_region(
            self.probability.shape,
            self._calibration(reference, sparsity, self.lines),
        )
        """Boolean array, the calibration region, which is never held out."""
        shown = np.where(self.region, 1.0, 1.0 - self.hold_out)
        self.chance = (self.probability * shown).astype("float32")
        """Array C, the probability that an entry is offered to the mask."""

    def inputs(self, size):
        expected = {"columns": (1, size[1]), "rows": (size[0], 1), None: size}
        if self.probability.shape != tuple(expected[self.lines]):
            raise invalid(
                "probability",
                f"shape {size}, or that of its lines",
                found=f"shape={self.probability.shape}",
            )
        shape = (*self.probability.shape, 1)
        return [keras.Input(shape, dtype="float32", name="within")]

    def __call__(self, reference, within):
        sparsity = 1 / self.acceleration
        calibration = self._calibration(reference, sparsity, self.lines)
        logits, draws = self._seeds()
        prob = ProbMask(
            self.prob_slope, self.lines, seed=logits, name="prob_mask"
        )
        scaled = RescaleBelow(
            sparsity, self.chance, calibration, name="prob_mask_scaled"
        )
        layer = MaskWithin(
            sparsity,
            self.chance,
            slope=self.slope,
            calibration=calibration,
            estimator=self.estimator,
            binarization=self.binarization,
            seed=draws,
            name="sampled_mask",
        )
        return layer([scaled(prob(reference)), within])

    def get_config(self):
        return {
            **super().get_config(),
            "acceleration": self.acceleration,
            "probability": self.probability.tolist(),
            "hold_out": self.hold_out,
        }
