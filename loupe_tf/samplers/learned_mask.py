import keras

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.layers.prob_mask import LINES
from loupe_tf.samplers.learned import Learned, standardize_acceleration


@keras.saving.register_keras_serializable(package="loupe_tf")
class LearnedMask(Learned):
    """A mask that is learned: one, nested ones, or one for each group.

    The layers are those of LOUPE (Bahadir et al., IEEE TCI 2020): `prob_mask`
    (`ProbMask`), `prob_mask_scaled` (`RescaleProbMap`) or, with
    `sparsity_penalty`, a layer of that name, and `sampled_mask`
    (`ThresholdRandomMask`).

    Args:
        acceleration: Float > 1, R; a share 1/R of k-space (or of its lines) is
            acquired. Given unless it is left to `sparsity_penalty`. Several
            rising numbers for nested masks, of one set of logits, each inside
            of the one before; there is an input `acceleration_index` then:
            integers `(batch,)`, which of the numbers holds for each example.
        lines: `None` for a mask of points, `"columns"` or `"rows"` for lines.
        half_plane: Boolean. If `True` only one of each pair `{k, -k}` may be
            acquired, since real images have `y(-k) = conj y(k)`. The mask is
            what is acquired, without its mirror. The budget is that of the
            whole k-space.
        groups: `None`, or an integer G ≥ 2 for a mask a group (of contrasts,
            of slices), with one budget for all. There is an input `group`
            then: integers `(batch,)` in [0, G).
        calibration: Size of the calibration region, which is always acquired
            and counts inside the budget: an integer (lines, or the side of a
            square), or a pair `(h, w)`; `None` or 0 for none. `"auto"` is
            fastMRI's share of the lines (`default_calibration`; of nested
            masks that of the largest R), and none with `sparsity_penalty`. In
            a half-plane it is what fills the region with its mirrors.
        estimator: String, how masks are drawn in training; see
            `ThresholdRandomMask`.
        slope: Positive float, the initial slope s that 4S raises; by default
            where the estimator learns well.
        prob_slope: Positive float, the constant t of `S = σ(t·γ)`.
        binarization: String, what inference does with the probabilities; see
            `ThresholdRandomMask`.
        sparsity_penalty: Positive float λ: the original's version 1 (Bahadir
            et al., IPMI 2019), in which nothing is rescaled and λ times the
            mean probability is added to the loss. The acceleration is then
            what comes out of training.
        seed: Integer or `None`, of the initial logits; the realizations have
            the next one.

    Raises:
        ValueError: If arguments are invalid or do not go together; when the
            mask is made, if they do not fit its size.
    """

    def __init__(
        self,
        acceleration=None,
        lines=None,
        half_plane=False,
        groups=None,
        calibration="auto",
        estimator="relaxed",
        slope=None,
        prob_slope=5.0,
        binarization="exact",
        sparsity_penalty=None,
        seed=None,
    ):
        super().__init__(
            calibration, estimator, slope, prob_slope, binarization, seed
        )
        if sparsity_penalty is not None:
            sparsity_penalty = check_number(
                "sparsity_penalty", sparsity_penalty, above=0
            )
            self.acceleration = None
            if acceleration is not None:
                raise invalid(
                    "acceleration",
                    "None beside `sparsity_penalty`, from which it comes out",
                    acceleration,
                )
            if ESTIMATORS[estimator].needs_budget:
                raise invalid(
                    "estimator",
                    "one that needs no budget, beside `sparsity_penalty`",
                    estimator,
                )
            if half_plane:
                raise invalid(
                    "sparsity_penalty",
                    "None beside half_plane=True",
                    sparsity_penalty,
                )
        else:
            self.acceleration = standardize_acceleration(acceleration)
        several = isinstance(self.acceleration, tuple)
        if groups is not None:
            groups = check_integer("groups", groups, at_least=2)
            if several:
                raise invalid(
                    "groups",
                    "None beside several accelerations, which share one mask",
                    groups,
                )
        rising = several and all(
            a < b for a, b in zip(acceleration, acceleration[1:])
        )
        if several and (len(acceleration) < 2 or not rising):
            raise invalid(
                "acceleration", "a number, or rising ones", acceleration
            )
        self.lines = check_choice("lines", lines, LINES)
        self.half_plane = bool(half_plane)
        self.groups = groups
        self.sparsity_penalty = sparsity_penalty

    def inputs(self, size):
        if self.groups is not None:
            name = "group"
        elif isinstance(self.acceleration, tuple):
            name = "acceleration_index"
        else:
            return []
        return [keras.Input((), dtype="int32", name=name)]

    def __call__(self, reference, *inputs):
        sparsity = self.acceleration
        if isinstance(sparsity, tuple):
            sparsity = tuple(1 / value for value in sparsity)
        elif sparsity is not None:
            sparsity = 1 / sparsity
        return self._mask(
            reference,
            *inputs,
            sparsity=sparsity,
            calibration=self._calibration(reference, sparsity, self.lines),
            lines=self.lines,
            half_plane=self.half_plane,
            groups=self.groups,
            sparsity_penalty=self.sparsity_penalty,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "acceleration": self.acceleration,
            "lines": self.lines,
            "half_plane": self.half_plane,
            "groups": self.groups,
            "sparsity_penalty": self.sparsity_penalty,
        }
