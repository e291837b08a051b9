import keras
import numpy as np
from keras import ops

from loupe_tf.checks import check_choice, check_number, invalid
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.layers.rescale_prob_map import standardize_sparsity
from loupe_tf.layers.seed_generator import ReplicaSeedGenerator, SavesSeedState
from loupe_tf.masks.half_plane import required_and_allowed

BINARIZATIONS = ("exact", "threshold", "sampled", "relaxed")


@keras.saving.register_keras_serializable(package="loupe_tf")
class ThresholdRandomMask(SavesSeedState, Float32Layer):
    """Draw masks from a probability mask.

    In training, each example gets its own realization M. The `estimator` draws
    it from the probabilities P, uniform numbers U and the slope s:

    - `"relaxed"`: `M = σ(s·(P - U))`, equation 6 of the 4S paper (Martinini et
      al., BioCAS 2022) and LOUPE (Bahadir et al., IEEE TCI 2020).
    - `"straight_through"`: the binary `M = [P > U]`, with the gradient of
      `"relaxed"` (Bengio et al., arXiv:1308.3432, 2013).
    - `"concrete"`: `M = σ(s·(logit P - logit U))`, the binary concrete
      distribution at temperature 1/s (Maddison et al., ICLR 2017).
    - `"gumbel_topk"`: the binary mask of the `budget` largest
      `z = logit P - logit U`. Every realization thus has exactly the budget.
      The gradient is that of `σ(s·(z - z₀))`, with z₀ midway between the
      lowest z taken and the highest one left out. This is the Gumbel top-k
      trick (Kool et al., ICML 2019) with the noise `-logit U`, the difference
      of two Gumbel variables, so that the probability of taking an entry is
      close to P.

    At inference, there is one deterministic binary mask with exactly the
    budget: the entries of largest P, ties broken by lower flat index.

    There may be several P, and an index that picks one for each example:

    - Groups have one `sparsity` and share one budget: the entries of largest P
      are taken from all groups together. `"gumbel_topk"` draws `Σ P` entries,
      rounded, for each group.
    - Nested masks have one `sparsity` each, and their P rank the entries in
      the same order, as those of `RescaleProbMap` do. Each mask has its own
      budget, and at inference a larger mask contains every smaller one.

    The slope is a non-trainable weight, saved with the model. Callbacks change
    it with `layer.slope.assign(value)`, which also reaches a compiled train
    step.

    Args:
        slope: Positive float, initial s. The default is LOUPE's 200. Samplers
            and `loupe_model` pass the slope of the estimator's entry instead,
            20 for `"relaxed"`, from which short trainings learn better
            (docs/results/defaults.md).
        sparsity: Float in (0, 1). It sets the budget `round(sparsity · N)` of
            inference and of `"gumbel_topk"`. `None` sets `round(Σ P)`; several
            floats in falling order are for nested masks.
        calibration: `None` or the size of the calibration region, which is
            always acquired and counts towards the budget; see
            `RescaleProbMap`.
        half_plane: Boolean. Whether the entries outside
            `loupe_tf.masks.half_plane` are never acquired.
        estimator: String, the name of an entry of
            `loupe_tf.layers.estimators.ESTIMATORS`, such as those above.
        binarization: String, the kind of mask used at inference: `"exact"` as
            above; `"threshold"` for `P > 0.5`, the paper's rule, which misses
            the budget; `"sampled"` for random binary masks; `"relaxed"` for
            masks as in training.
        per_example: Boolean. Whether each example of a batch gets its own
            realization, or all share one.
        seed: Integer or `None`. The state of the generator is saved with the
            layer, and replicas of `tf.distribute` draw different numbers.

    Inputs:
        `prob` of shape `(G, H, W, 1)`, where G is 1 for a single mask and H or
        W may be 1. Alternatively a pair `[prob, reference]`, where only the
        batch size of `reference` is read; or `[prob, reference, index]`, with
        integers in [0, G), `(batch,)` or `(batch, 1)`.

    Output shape:
        `(batch, H, W, 1)` with a reference, else `(G, H, W, 1)`; float32 in
        [0, 1], with DC at `(H // 2, W // 2)`.
    """

    def __init__(
        self,
        slope=200.0,
        sparsity=None,
        calibration=None,
        half_plane=False,
        estimator="relaxed",
        binarization="exact",
        per_example=True,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.initial_slope = check_number("slope", slope, above=0)
        check_choice("estimator", estimator, ESTIMATORS)
        check_choice("binarization", binarization, BINARIZATIONS)
        if sparsity is None and ESTIMATORS[estimator].needs_budget:
            raise invalid(
                "sparsity",
                f"a number in (0, 1) for estimator={estimator!r}, which draws "
                "exactly the budget",
                sparsity,
            )
        if sparsity is not None:
            sparsity = standardize_sparsity(sparsity)
        self.sparsity = sparsity
        self.calibration = calibration
        self.half_plane = half_plane
        self.estimator = estimator
        self.binarization = binarization
        self.per_example = per_example
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def build(self, input_shape):
        prob, reference, index = self._split(input_shape)
        number, *shape = prob[:3]
        self.number_of_masks = number = number or 1
        self._nested = isinstance(self.sparsity, tuple)
        if self._nested and len(self.sparsity) != number:
            raise invalid(
                "sparsity",
                f"one number, or one for each of {number} probability masks",
                self.sparsity,
            )
        if self.number_of_masks > 1 and reference is not None and index is None:
            raise invalid(
                "inputs",
                "[prob, reference, index], because there are "
                f"{number} probability masks",
                found=f"input_shape={input_shape}",
            )
        self._size = shape[0] * shape[1]
        if self.sparsity is not None and not np.min(self._budgets()):
            raise invalid(
                "sparsity",
                "one over an `acceleration` that leaves at least one of the "
                f"{self._size} entries to acquire",
                self.sparsity,
            )
        required, allowed = (
            entries[None, :, :, None]
            for entries in required_and_allowed(
                tuple(shape), self.calibration, self.half_plane
            )
        )
        self._required = required if required.any() else None
        self._excluded = None if allowed.all() else ~allowed
        self.slope = self.add_weight(
            name="slope",
            shape=(),
            initializer=keras.initializers.Constant(self.initial_slope),
            trainable=False,
            autocast=False,
        )

    def call(self, inputs, training=None):
        prob, reference, index = self._split(inputs)
        batch = self.number_of_masks
        if reference is not None:
            batch = ops.shape(reference)[0]
        shape = (batch if self.per_example else 1, *prob.shape[1:])

        def pick(values):
            if index is None:
                return values
            return ops.take(values, ops.reshape(index, (-1,)), axis=0)

        if training or self.binarization == "relaxed":
            mask = self._realization(prob, shape, pick)
        elif self.binarization == "sampled":
            mask = self._binary_realization(prob, shape, pick)
        elif self.binarization == "threshold":
            mask = pick(ops.cast(prob > 0.5, "float32"))
        else:
            mask = pick(self._exact(prob))
        if self._required is not None:
            mask = ops.where(self._required, 1.0, mask)
        if self._excluded is not None:
            mask = ops.where(self._excluded, 0.0, mask)
        return ops.broadcast_to(mask, (batch, *prob.shape[1:]))

    def compute_output_shape(self, input_shape):
        prob, reference, _ = self._split(input_shape)
        batch = (prob[0] or 1) if reference is None else reference[0]
        return (batch, *prob[1:])

    def get_config(self):
        return {
            **super().get_config(),
            "slope": self.initial_slope,
            "sparsity": self.sparsity,
            "calibration": self.calibration,
            "half_plane": self.half_plane,
            "estimator": self.estimator,
            "binarization": self.binarization,
            "per_example": self.per_example,
            "seed": self.seed,
        }

    def _split(self, inputs):
        """Return (prob, reference, index); missing ones are `None`."""
        if isinstance(inputs, list | tuple) and len(inputs) in (2, 3):
            return (*inputs, None)[:3]
        return inputs, None, None

    def _realization(self, prob, shape, pick):
        uniform = self._uniform(shape)

        def largest(score):
            budget = self._budget_of_draws(prob, pick)
            mask = self._largest(score, budget, ops.shape(score)[0])
            threshold = self._last_taken(score, budget)
            return ops.reshape(mask, ops.shape(score)), threshold

        draw = ESTIMATORS[self.estimator].draw
        return draw(pick(prob), uniform, self.slope, largest)

    def _binary_realization(self, prob, shape, pick):
        if ESTIMATORS[self.estimator].needs_budget:
            return self._realization(prob, shape, pick)
        return ops.cast(pick(prob) > self._uniform(shape), "float32")

    def _uniform(self, shape):
        return keras.random.uniform(
            shape, dtype="float32", seed=self.seed_generator
        )

    def _budgets(self):
        """Return the common budget of all masks, or a list of their budgets."""
        if self._nested:
            return [round(r * self._size) for r in self.sparsity]
        return round(self.sparsity * self._size * self.number_of_masks)

    def _budget_of_draws(self, prob, pick):
        """Return the budget of a realization, an integer or `(batch, 1)`."""
        budgets = self._budgets()
        if self.number_of_masks == 1:
            return budgets[0] if self._nested else budgets
        if not self._nested:
            # The shares of the groups are rounded so that they sum to the
            # budget.
            share = ops.sum(ops.stop_gradient(prob), axis=(1, 2, 3))
            ends = ops.cast(ops.round(ops.cumsum(share)[:-1]), "int32")
            first = ops.zeros((1,), "int32")
            ends = ops.concatenate([first, ends, first + budgets])
            budgets = ends[1:] - ends[:-1]
        budgets = ops.convert_to_tensor(budgets, "int32")
        return pick(ops.reshape(budgets, (-1, 1)))

    def _exact(self, prob):
        """Return binary masks of the entries of largest P."""
        if self._nested:
            # One ranking for all masks, so rounding cannot break the nesting.
            # The smallest P gives it, because its values are rounded least.
            budgets = ops.convert_to_tensor(self._budgets(), "int32")
            mask = self._largest(prob[-1:], ops.reshape(budgets, (-1, 1)), 1)
        elif self.sparsity is None:
            mask = self._largest(prob, ops.round(ops.sum(prob)), 1)
        else:
            mask = self._largest(prob, self._budgets(), 1)
        return ops.reshape(mask, (self.number_of_masks, *prob.shape[1:]))

    def _bounded(self, score):
        """Give required entries the score +inf and excluded ones -inf."""
        if self._required is not None:
            score = ops.where(self._required, float("inf"), score)
        if self._excluded is not None:
            score = ops.where(self._excluded, float("-inf"), score)
        return score

    def _largest(self, score, budget, rows):
        """Mark the largest scores in each row; ties go to the lower index."""
        falling = ops.reshape(-self._bounded(score), (rows, -1))
        # The argsort is stable, so equal entries keep their order. The argsort
        # of an argsort is the rank of each entry.
        rank = ops.argsort(ops.argsort(falling, axis=-1), axis=-1)
        return ops.cast(rank < ops.cast(budget, rank.dtype), "float32")

    def _last_taken(self, score, budget):
        """Return the midpoint of the last score taken and the next one."""
        ascending = ops.sort(
            ops.reshape(self._bounded(score), (-1, self._size)), axis=-1
        )
        if isinstance(budget, int):
            last = ascending[:, self._size - budget]
            following = ascending[:, max(self._size - budget - 1, 0)]
        else:
            place = ops.concatenate([budget, budget + 1], axis=-1)
            place = ops.clip(self._size - place, 0, self._size - 1)
            pair = ops.take_along_axis(ascending, place, axis=-1)
            last, following = pair[:, 0], pair[:, 1]
        middle = (last + following) / 2
        middle = ops.where(ops.isfinite(middle), middle, following)
        if self._excluded is not None:
            middle = ops.where(ops.isfinite(middle), middle, last)
        return ops.stop_gradient(ops.reshape(middle, (-1, 1, 1, 1)))
