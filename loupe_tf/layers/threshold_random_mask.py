import keras
from keras import ops

from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.layers.seed_generator import ReplicaSeedGenerator
from loupe_tf.masks import calibration_region

ESTIMATORS = ("relaxed", "straight_through", "concrete", "gumbel_topk")
BINARIZATIONS = ("exact", "threshold", "sampled", "relaxed")


@keras.saving.register_keras_serializable(package="loupe_tf")
class ThresholdRandomMask(Float32Layer):
    """Draw masks from a probability mask.

    In training each example gets a realization M of its own, from the
    probabilities P, uniform numbers U and the slope s, by the `estimator`:

    - `"relaxed"`: `M = σ(s·(P - U))`, equation 6 of the 4S paper (Martinini et
      al., BioCAS 2022) and LOUPE (Bahadir et al., IEEE TCI 2020).
    - `"straight_through"`: the binary `M = [P > U]`, with the gradient of the
      relaxed one (Bengio et al., arXiv:1308.3432, 2013).
    - `"concrete"`: `M = σ(s·(logit P - logit U))`, the binary concrete
      distribution at temperature 1/s (Maddison et al., ICLR 2017).
    - `"gumbel_topk"`: the binary mask of the `budget` largest
      `z = logit P - logit U`, so that every realization has exactly the
      budget; with the gradient of `σ(s·(z - z₀))`, z₀ midway between the last
      z taken and the first not. After the Gumbel top-k trick (Kool et al.,
      ICML 2019), with `-logit U`, the difference of two Gumbel variables, for
      noise: then each entry is taken with a probability close to P.

    In inference there is one deterministic binary mask with exactly the
    budget: the entries of largest P, ties broken by lower flat index.

    The slope is a non-trainable weight, saved with the model. Callbacks change
    it with `layer.slope.assign(value)`, which a compiled train step sees.

    Args:
        slope: Positive float, initial s.
        sparsity: Float in (0, 1) that gives the budget `round(sparsity · N)`
            of inference and of `"gumbel_topk"`, or `None` for
            `round(Σ P)`.
        calibration: `None` or the size of the calibration region, always
            acquired and counted inside the budget; see `RescaleProbMap`.
        estimator: String, as above.
        binarization: String, what inference uses: `"exact"` as above,
            `"threshold"` for `P > 0.5`, the paper's rule, which misses the
            budget; `"sampled"` for random binary masks; `"relaxed"` for masks
            as in training.
        per_example: Boolean. Whether each example of a batch gets its own
            realization, or all the same.
        seed: Integer or `None`. The state of the generator is saved with the
            layer, and replicas of `tf.distribute` draw different numbers.

    Inputs:
        `prob`, of shape `(1, H, W, 1)` (H or W may be 1), or a pair
        `[prob, reference]`, of whose second entry only the size of the batch
        is read.

    Output shape:
        `(batch, H, W, 1)` given a reference, else `(1, H, W, 1)`; float32 in
        [0, 1], DC at `(H // 2, W // 2)`.
    """

    def __init__(
        self,
        slope=200.0,
        sparsity=None,
        calibration=None,
        estimator="relaxed",
        binarization="exact",
        per_example=True,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not slope > 0:
            raise ValueError(
                "Invalid value for argument `slope`. Expected a positive "
                f"number. Received: slope={slope}"
            )
        if estimator not in ESTIMATORS:
            raise ValueError(
                "Invalid value for argument `estimator`. Expected one of "
                f"{ESTIMATORS}. Received: estimator={estimator!r}"
            )
        if binarization not in BINARIZATIONS:
            raise ValueError(
                "Invalid value for argument `binarization`. Expected one of "
                f"{BINARIZATIONS}. Received: binarization={binarization!r}"
            )
        if sparsity is None and estimator == "gumbel_topk":
            raise ValueError(
                "Missing argument `sparsity`. Expected a number in (0, 1), "
                "since estimator='gumbel_topk' draws exactly the budget. "
                "Received: sparsity=None"
            )
        if sparsity is not None and not 0 < sparsity < 1:
            raise ValueError(
                "Invalid value for argument `sparsity`. Expected `None` or a "
                f"number in (0, 1). Received: sparsity={sparsity}"
            )
        self.initial_slope = float(slope)
        self.sparsity = sparsity
        self.calibration = calibration
        self.estimator = estimator
        self.binarization = binarization
        self.per_example = per_example
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def build(self, input_shape):
        shape = tuple(self._split(input_shape)[0])[1:3]
        self._calibration_mask = None
        if self.calibration is not None:
            region = calibration_region(shape, self.calibration)
            self._calibration_mask = region[None, :, :, None]
        self.slope = self.add_weight(
            name="slope",
            shape=(),
            initializer=keras.initializers.Constant(self.initial_slope),
            trainable=False,
            autocast=False,
        )

    def call(self, inputs, training=None):
        prob, reference = self._split(inputs)
        batch = 1 if reference is None else ops.shape(reference)[0]
        shape = (batch if self.per_example else 1, *prob.shape[1:])
        if training or self.binarization == "relaxed":
            mask = self._realization(prob, shape)
        elif self.binarization == "sampled":
            mask = self._binary_realization(prob, shape)
        elif self.binarization == "threshold":
            mask = ops.cast(prob > 0.5, "float32")
        else:
            mask = self._most_probable(prob)
        if self._calibration_mask is not None:
            mask = ops.where(self._calibration_mask, 1.0, mask)
        return ops.broadcast_to(mask, (batch, *prob.shape[1:]))

    def compute_output_shape(self, input_shape):
        prob, reference = self._split(input_shape)
        batch = 1 if reference is None else reference[0]
        return (batch, *prob[1:])

    def get_config(self):
        return {
            **super().get_config(),
            "slope": self.initial_slope,
            "sparsity": self.sparsity,
            "calibration": self.calibration,
            "estimator": self.estimator,
            "binarization": self.binarization,
            "per_example": self.per_example,
            "seed": self.seed,
        }

    def save_own_variables(self, store):
        super().save_own_variables(store)
        # Keras saves no seed states; a resumed run would draw old masks again.
        store["seed_state"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        values = {key: store[key] for key in store.keys()}
        state = values.pop("seed_state", None)
        super().load_own_variables(values)
        if state is not None:
            self.seed_generator.state.assign(state)

    def _split(self, inputs):
        """Return (prob, reference or `None`) of tensors or of shapes."""
        if isinstance(inputs, list | tuple) and len(inputs) == 2:
            return inputs
        return inputs, None

    def _realization(self, prob, shape):
        uniform = self._uniform(shape)
        if self.estimator in ("concrete", "gumbel_topk"):
            score = _logit(prob) - _logit(uniform)
            if self.estimator == "concrete":
                return ops.sigmoid(self.slope * score)
            soft = ops.sigmoid(self.slope * (score - self._last_taken(score)))
            return _straight_through(self._most_probable(score), soft)
        soft = ops.sigmoid(self.slope * (prob - uniform))
        if self.estimator == "straight_through":
            return _straight_through(ops.cast(prob > uniform, "float32"), soft)
        return soft

    def _binary_realization(self, prob, shape):
        if self.estimator == "gumbel_topk":
            return self._realization(prob, shape)
        return ops.cast(prob > self._uniform(shape), "float32")

    def _uniform(self, shape):
        return keras.random.uniform(shape, seed=self.seed_generator)

    def _most_probable(self, score):
        """The binary mask of the `budget` largest scores, ties by index."""
        shape = ops.shape(score)
        size = score.shape[1] * score.shape[2]
        if self.sparsity is None:
            budget = ops.cast(ops.round(ops.sum(score)), "int32")
        else:
            budget = round(self.sparsity * size)
        if self._calibration_mask is not None:
            score = ops.where(self._calibration_mask, float("inf"), score)
        # The argsort is stable: of equal entries the first comes first. The
        # argsort of an order is the rank of each entry in it.
        order = ops.argsort(ops.reshape(-score, (shape[0], size)), axis=-1)
        rank = ops.argsort(order, axis=-1)
        return ops.reshape(ops.cast(rank < budget, "float32"), shape)

    def _last_taken(self, score):
        """Midway between the last score inside the budget and the next one."""
        size = score.shape[1] * score.shape[2]
        budget = round(self.sparsity * size)
        if self._calibration_mask is not None:
            score = ops.where(self._calibration_mask, float("inf"), score)
        ascending = ops.sort(ops.reshape(score, (-1, size)), axis=-1)
        last = ascending[:, size - budget]
        following = ascending[:, max(size - budget - 1, 0)]
        middle = (last + following) / 2
        middle = ops.where(ops.isfinite(middle), middle, following)
        return ops.stop_gradient(ops.reshape(middle, (-1, 1, 1, 1)))


def _logit(prob):
    # Clipped, so that the gradient is finite where a probability is 0 or 1.
    tiny = keras.config.epsilon()
    prob = ops.clip(prob, tiny, 1 - tiny)
    return ops.log(prob) - ops.log(1 - prob)


def _straight_through(hard, soft):
    # In this order the value is exactly that of `hard`: soft - soft is zero.
    return ops.stop_gradient(hard) + (soft - ops.stop_gradient(soft))
