import keras

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.layers.prob_mask import LINES
from loupe_tf.samplers.learned import Learned, standardize_acceleration


@keras.saving.register_keras_serializable(package="loupe_tf")
class LearnedMask(Learned):
    """A learned mask: a single one, nested ones, or one for each group.

    The layers are those of LOUPE (Bahadir et al., IEEE TCI 2020): `prob_mask`
    (`ProbMask`), `prob_mask_scaled` (`RescaleProbMap`) and `sampled_mask`
    (`ThresholdRandomMask`). With `sparsity_penalty`, a layer of that name
    replaces `prob_mask_scaled`.

    Args:
        acceleration: Float R > 1: a share 1/R of k-space (or of its lines) is
            acquired. Required unless `sparsity_penalty` is given. Several
            rising numbers make nested masks from one set of logits, each
            inside the one before. There is then an input
            `acceleration_index`, integers `(batch,)`, that picks one of the
            numbers for each example.
        lines: `None` for a mask of points, `"columns"` or `"rows"` for lines.
        half_plane: Boolean. If `True`, only one entry of each pair `{k, -k}`
            may be acquired, because real images have `y(-k) = conj y(k)`. The
            mask holds the acquired entries, without their mirrors. The budget
            is that of the whole k-space.
        groups: `None`, or an integer G ≥ 2 for one mask per group (of
            contrasts or slices, for instance), with a common budget. There is
            then an input `group`, integers `(batch,)` in [0, G).
        calibration: Size of the calibration region, which is always acquired
            and counts towards the budget: an integer (the number of lines, or
            the side of a square) or a pair `(h, w)`; `None` or 0 for none.
            `"auto"` is fastMRI's share of the lines (`default_calibration`),
            for the largest R of nested masks, and none with
            `sparsity_penalty`. In a half-plane, mirrors fill the other half of
            the region.
        estimator: String, the way masks are drawn in training; see
            `ThresholdRandomMask`.
        slope: Positive float, the initial slope s, which 4S raises. Defaults
            to that of the estimator's entry in `ESTIMATORS`, 20 for
            `"relaxed"`: short trainings learn better from there than from
            LOUPE's 200 (docs/results/defaults.md), which `ThresholdRandomMask`
            keeps.
        prob_slope: Positive float, the constant t of `S = σ(t·γ)`.
        binarization: String, the kind of mask used at inference; see
            `ThresholdRandomMask`.
        sparsity_penalty: Positive float λ. As in version 1 of the original
            (Bahadir et al., IPMI 2019), nothing is rescaled, and λ times the
            mean probability is added to the loss. The acceleration is then a
            result of training.
        seed: Integer or `None`, seed of the initial logits. The realizations
            use the next seed.

    Raises:
        ValueError: If arguments are invalid or do not go together, or, when
            the mask is made, if they do not fit its size.
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
                    "None with `sparsity_penalty`, which determines it",
                    acceleration,
                )
            if ESTIMATORS[estimator].needs_budget:
                raise invalid(
                    "estimator",
                    "one that needs no budget, with `sparsity_penalty`",
                    estimator,
                )
            if half_plane:
                raise invalid(
                    "sparsity_penalty",
                    "None with half_plane=True",
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
                    "None with several accelerations, which share one mask",
                    groups,
                )
        rising = several and all(
            a < b for a, b in zip(acceleration, acceleration[1:])
        )
        if several and (len(acceleration) < 2 or not rising):
            raise invalid(
                "acceleration", "a number, or rising numbers", acceleration
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

    @property
    def choices(self):
        """How many masks an input chooses from; `None` without that input."""
        if self.groups is not None:
            return self.groups
        rates = self.acceleration
        return len(rates) if isinstance(rates, tuple) else None

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
