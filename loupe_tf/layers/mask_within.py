import keras
import numpy as np
from keras import ops

from loupe_tf.checks import invalid
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.layers.rescale_prob_map import equation_5
from loupe_tf.layers.threshold_random_mask import ThresholdRandomMask
from loupe_tf.masks.arguments import standardize_probability


@keras.saving.register_keras_serializable(package="loupe_tf")
class MaskWithin(ThresholdRandomMask):
    """Draw masks inside of what each scan has acquired.

    In training, the realization M of an example is 0 outside its entries A:

        M = A ∘ M(π, U)

    with M(π, U) that of `ThresholdRandomMask`, for instance `σ(s·(π - U))`.
    The probabilities π are those given A. There are two kinds:

    - A is drawn at random, each entry independently with the probability C,
      which `chance` has: `π = P / C`. Where `P ≤ C`, an entry is then acquired
      with the probability P, as it is by `ThresholdRandomMask` from full scans.
    - A is a region, such as a band, and `chance` is `None`: π is P moved by
      equation 5 of the 4S paper so that its mean inside A is the sparsity. The
      budget is thus counted in A. The calibration region is inside the budget.

    At inference there is nothing to stay inside of: the mask is that of
    `ThresholdRandomMask`, with exactly the budget. With `chance` it has the
    entries of largest π, not of largest P: where scans rarely acquire, P is
    small for the best entries too.

    Args:
        sparsity: Float in (0, 1), one over the acceleration.
        chance: `None`, or array `(H, W)`, `(1, W)` or `(H, 1)`, the C of each
            entry, with DC at `(H // 2, W // 2)`.
        **kwargs: Other arguments of `ThresholdRandomMask`, without
            `half_plane`. Estimators that draw exactly the budget do not fit.

    Inputs:
        A pair `[prob, within]`. The probabilities are `(1, H, W, 1)`, where H
        or W may be 1, `within` is `(batch, H, W, 1)`, not 0 in A.

    Output shape:
        `(batch, H, W, 1)`; float32 in [0, 1], with DC at `(H // 2, W // 2)`.

    Example:

    >>> prob, within = np.full((1, 4, 6, 1), 0.3), np.zeros((2, 4, 6, 1))
    >>> within[:, :, 2:5] = 1
    >>> layer = loupe_tf.layers.MaskWithin(sparsity=0.3, seed=0)
    >>> mask = layer([prob, within], training=True)
    >>> bool(np.any(np.asarray(mask)[:, :, [0, 1, 5]]))
    False
    """

    def __init__(self, sparsity, chance=None, **kwargs):
        super().__init__(sparsity=sparsity, **kwargs)
        if ESTIMATORS[self.estimator].needs_budget:
            raise invalid(
                "estimator",
                "one without a budget: each scan offers another number of "
                "entries",
                self.estimator,
            )
        if self.half_plane or not isinstance(self.sparsity, float):
            raise invalid(
                "sparsity" if not self.half_plane else "half_plane",
                "one number in (0, 1), and no half-plane",
                found=f"sparsity={sparsity}, half_plane={self.half_plane}",
            )
        if chance is not None:
            chance = standardize_probability("chance", chance)
        self.chance = chance

    def build(self, input_shape):
        prob, within = (tuple(shape) for shape in input_shape)
        if prob[0] != 1 or len(within) != 4 or prob[1:] != within[1:]:
            raise invalid(
                "within",
                f"shape (batch, {prob[1]}, {prob[2]}, 1), to fit one "
                "probability mask",
                found=f"shape={within}, and probabilities {prob}",
            )
        if self.chance is not None and self.chance.shape != prob[1:3]:
            raise invalid(
                "chance",
                f"the shape {prob[1:3]} of the probability mask",
                found=f"shape={self.chance.shape}",
            )
        super().build(input_shape)

    def call(self, inputs, training=None):
        prob, within = inputs
        if not training:
            if self.chance is not None and self.binarization == "exact":
                prob = self._given(prob, None)
            return super().call([prob, within])
        within = within != 0
        prob = self._given(prob, ops.cast(within, "float32"))
        # Examples may share a draw, but not what they have acquired.
        batch = ops.shape(within)[0] if self.per_example else 1
        mask = self._realization(prob, (batch, *prob.shape[1:]), lambda x: x)
        if self._required is not None:
            mask = ops.where(self._required, 1.0, mask)
        return ops.where(within, mask, 0.0)

    def _given(self, prob, within):
        """Return the probability of each entry if it is within."""
        if self.chance is not None:
            chance = np.maximum(self.chance, 1e-6)[None, ..., None]
            return ops.minimum(ops.divide(prob, chance), 1.0)

        def total(x):
            return ops.sum(x, axis=(1, 2, 3), keepdims=True)

        free = within
        if self._required is not None:
            free = ops.where(self._required, 0.0, within)
        count = ops.maximum(total(free), 1.0)
        wanted = self.sparsity * total(within) - total(within - free)
        share = ops.clip(wanted / count, 0.0, 1.0)
        return equation_5(prob, total(ops.multiply(free, prob)) / count, share)

    def get_config(self):
        config = super().get_config()
        del config["half_plane"]
        chance = self.chance
        return {
            **config,
            "chance": None if chance is None else chance.tolist(),
        }
