import keras

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.layers import ProbMask, RescaleProbMap, ThresholdRandomMask
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.layers.threshold_random_mask import BINARIZATIONS
from loupe_tf.masks.budget import standardize_calibration
from loupe_tf.masks.patterns import default_calibration
from loupe_tf.samplers.sampler import Sampler


class Learned(Sampler):
    """Base of the samplers that draw masks from trainable logits.

    The arguments are those of `LearnedMask`.
    """

    def __init__(
        self,
        calibration="auto",
        estimator="relaxed",
        slope=None,
        prob_slope=5.0,
        binarization="exact",
        seed=None,
    ):
        if isinstance(calibration, str):
            if calibration != "auto":
                raise invalid(
                    "calibration",
                    "'auto', None, a non-negative integer or a pair of them",
                    calibration,
                )
        else:
            calibration = standardize_calibration(calibration)
        self.calibration = calibration
        self.estimator = check_choice("estimator", estimator, ESTIMATORS)
        if slope is None:
            slope = ESTIMATORS[estimator].slope
        self.slope = check_number("slope", slope, above=0)
        self.prob_slope = check_number("prob_slope", prob_slope, above=0)
        self.binarization = check_choice(
            "binarization", binarization, BINARIZATIONS
        )
        self.seed = None if seed is None else check_integer("seed", seed)

    def get_config(self):
        return {
            "calibration": self.calibration,
            "estimator": self.estimator,
            "slope": self.slope,
            "prob_slope": self.prob_slope,
            "binarization": self.binarization,
            "seed": self.seed,
        }

    def _calibration(self, reference, sparsity, lines):
        """Return the calibration region of a learned mask.

        `"auto"` is fastMRI's, for the smallest of nested masks. There is none
        without a sparsity, or if the matrix or the budget is too small.
        """
        if self.calibration != "auto":
            return self.calibration
        if sparsity is None:
            return None
        smallest = sparsity[-1] if isinstance(sparsity, tuple) else sparsity
        size = tuple(reference.shape[-3:-1])
        return default_calibration(size, 1 / smallest, lines) or None

    def _seeds(self, number=0):
        """Return the seed of the logits and that of the realizations.

        Two generators with one seed would begin with the same numbers.
        """
        if self.seed is None:
            return None, None
        return self.seed + 2 * number, self.seed + 2 * number + 1

    def _mask(
        self,
        reference,
        *inputs,
        sparsity,
        calibration,
        lines,
        half_plane=False,
        groups=None,
        sparsity_penalty=None,
        number=0,
        suffix="",
    ):
        """Make a learned mask, from the logits to the realizations.

        Args:
            number: Integer, the index of this mask if there are several. Each
                index has its own seeds.
            suffix: String, appended to the names of the layers.
        """
        seeds = self._seeds(number)
        prob = ProbMask(
            slope=self.prob_slope,
            lines=lines,
            groups=groups,
            seed=seeds[0],
            name=f"prob_mask{suffix}",
        )(reference)
        if sparsity_penalty is None:
            prob = RescaleProbMap(
                sparsity,
                calibration=calibration,
                half_plane=half_plane,
                name=f"prob_mask_scaled{suffix}",
            )(prob)
        else:
            prob = keras.layers.ActivityRegularization(
                # Keras also divides by the first axis, the number of groups.
                l1=sparsity_penalty / (prob.shape[1] * prob.shape[2]),
                dtype="float32",
                name="sparsity_penalty",
            )(prob)
        return ThresholdRandomMask(
            slope=self.slope,
            sparsity=sparsity,
            calibration=calibration,
            half_plane=half_plane,
            estimator=self.estimator,
            binarization=self.binarization,
            seed=seeds[1],
            name=f"sampled_mask{suffix}",
        )([prob, reference, *inputs])


def standardize_acceleration(acceleration):
    """Check one R or several; return a `float` or a tuple of `float`s."""
    if isinstance(acceleration, tuple | list):
        return tuple(
            check_number("acceleration", value, above=1)
            for value in acceleration
        )
    return check_number("acceleration", acceleration, above=1)
