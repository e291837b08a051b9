import keras

from loupe_tf.checks import check_number
from loupe_tf.layers import MaskWithin, ProbMask, RescaleProbMap
from loupe_tf.samplers.learned import Learned


@keras.saving.register_keras_serializable(package="loupe_tf")
class WithinBand(Learned):
    """A learned mask of points, trained on scans that are bands of k-space.

    In training, masks are drawn inside the band of each scan, and the budget
    is counted there: a share 1/R of the band is acquired. At inference, the
    mask covers all of k-space; see `MaskWithin`. `loupe_tf.regimes.KBand`
    trains it.

    Its loss compares k-space, where the outside counts as much as the centre,
    and so draws the mask outwards: on five patients, the learned mask was 2.4
    dB worse than a Gaussian one (docs/results/k_band.md). Compare it with a
    `GivenMask` before you take it.

    Args:
        acceleration: Float R > 1.
        calibration, estimator, slope, prob_slope, binarization, seed: As for
            `LearnedMask`. An estimator with an exact budget does not fit.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(self, acceleration, **kwargs):
        super().__init__(**kwargs)
        self.acceleration = check_number("acceleration", acceleration, above=1)

    def inputs(self, size):
        return [keras.Input((*size, 1), dtype="float32", name="within")]

    def __call__(self, reference, within):
        sparsity = 1 / self.acceleration
        calibration = self._calibration(reference, sparsity, None)
        logits, draws = self._seeds()
        prob = ProbMask(self.prob_slope, seed=logits, name="prob_mask")
        scaled = RescaleProbMap(
            sparsity, calibration=calibration, name="prob_mask_scaled"
        )
        layer = MaskWithin(
            sparsity,
            slope=self.slope,
            calibration=calibration,
            estimator=self.estimator,
            binarization=self.binarization,
            seed=draws,
            name="sampled_mask",
        )
        return layer([scaled(prob(reference)), within])

    def get_config(self):
        return {**super().get_config(), "acceleration": self.acceleration}
