"""Estimators: how a mask is drawn from probabilities, so that it has gradients.

`ESTIMATORS` is the one place where they are: `ThresholdRandomMask`, whose
docstring says where they are from, and all else that names them reads it.
"""

import dataclasses
from collections.abc import Callable

from keras import ops

from loupe_tf.layers.rescale_prob_map import logit


@dataclasses.dataclass(frozen=True)
class Estimator:
    """How a realization is drawn.

    Attributes:
        draw: Function of `prob`, `uniform`, both `(batch, H, W, 1)` float32 in
            [0, 1], of the slope s, and of `largest`; it returns the
            realizations, of the same shape. `largest(scores)` returns the
            binary mask of as many largest scores in each example as the budget
            has, and the threshold `(batch, 1, 1, 1)` midway between the last
            score taken and the first not; neither has a gradient.
        slope: Positive float, the s from which it learns well in a
            `loupe_model` (docs/results/defaults.md).
        needs_budget: Boolean. Whether it calls `largest`, so that each
            realization is a binary mask of exactly the budget.
    """

    draw: Callable
    slope: float
    needs_budget: bool = False


def relaxed(prob, uniform, slope, largest):
    """`σ(s·(P - U))`."""
    return ops.sigmoid(slope * (prob - uniform))


def straight_through(prob, uniform, slope, largest):
    """`[P > U]`, with the gradient of the relaxed one."""
    hard = ops.cast(prob > uniform, "float32")
    return with_gradient_of(relaxed(prob, uniform, slope, largest), hard)


def concrete(prob, uniform, slope, largest):
    """`σ(s·(logit P - logit U))`."""
    return ops.sigmoid(slope * (logit(prob) - logit(uniform)))


def gumbel_topk(prob, uniform, slope, largest):
    """The largest z = logit P - logit U, with the gradient of σ(s·(z - z₀))."""
    score = logit(prob) - logit(uniform)
    hard, threshold = largest(score)
    return with_gradient_of(ops.sigmoid(slope * (score - threshold)), hard)


def with_gradient_of(soft, hard):
    """The values of `hard`, with the gradient of `soft`."""
    # In this order the value is exactly that of `hard`: soft - soft is zero.
    return ops.stop_gradient(hard) + (soft - ops.stop_gradient(soft))


# The slope multiplies P - U for the first two, and logits for the others.
ESTIMATORS = {
    "relaxed": Estimator(relaxed, slope=20.0),
    "straight_through": Estimator(straight_through, slope=12.0),
    "concrete": Estimator(concrete, slope=1.5),
    "gumbel_topk": Estimator(gumbel_topk, slope=1.0, needs_budget=True),
}
