"""Estimators: differentiable ways to draw a mask from probabilities.

`ESTIMATORS` lists them all; the rest of the package looks them up there. The
docstring of `ThresholdRandomMask` gives their sources.
"""

import dataclasses
from collections.abc import Callable

from keras import ops

from loupe_tf.layers.rescale_prob_map import logit


@dataclasses.dataclass(frozen=True)
class Estimator:
    """One way to draw realizations.

    Attributes:
        draw: Function `draw(prob, uniform, slope, largest)` that returns the
            realizations. `prob`, `uniform` and the result are
            `(batch, H, W, 1)`, float32 in [0, 1]. `largest(scores)` returns
            two tensors without gradient: the binary mask of the largest
            scores in each example, as many as the budget, and the threshold
            `(batch, 1, 1, 1)`, midway between the lowest score taken and the
            highest one left out.
        slope: Positive float, an initial slope s from which a `loupe_model`
            learns well (docs/results/defaults.md).
        needs_budget: Boolean. Whether `draw` calls `largest`, so that each
            realization is a binary mask with exactly the budget.
        binary: Boolean. Whether every realization is a binary mask. The
            generic tests read it.
    """

    draw: Callable
    slope: float
    needs_budget: bool = False
    binary: bool = False


def relaxed(prob, uniform, slope, largest):
    """`σ(s·(P - U))`."""
    return ops.sigmoid(slope * (prob - uniform))


def straight_through(prob, uniform, slope, largest):
    """`[P > U]`, with the gradient of `relaxed`."""
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
    """Return the values of `hard` with the gradient of `soft`."""
    # The parentheses keep the value exact: soft - soft is zero.
    return ops.stop_gradient(hard) + (soft - ops.stop_gradient(soft))


# The slope multiplies P - U in the first two and logits in the other two.
ESTIMATORS = {
    "relaxed": Estimator(relaxed, slope=20.0),
    "straight_through": Estimator(straight_through, slope=12.0, binary=True),
    "concrete": Estimator(concrete, slope=1.5),
    "gumbel_topk": Estimator(
        gumbel_topk, slope=1.0, needs_budget=True, binary=True
    ),
}
