from loupe_tf.checks import check_choice
from loupe_tf.fixed_point.exact import Exact
from loupe_tf.fixed_point.gradient import Gradient
from loupe_tf.fixed_point.phantom import Phantom
from loupe_tf.fixed_point.shine import Shine

GRADIENTS = {
    "exact": Exact,
    "jacobian_free": lambda: Phantom(steps=1),
    "phantom": Phantom,
    "shine": Shine,
    "shine_refined": lambda: Shine(refinement=5),
}
"""Gradients of a fixed point by name, each made without arguments."""


def gradient_of(gradient):
    """Return the `Gradient` that a name stands for, or the one that is given.

    Raises:
        ValueError: If it is neither a `Gradient` nor a name in `GRADIENTS`.
    """
    if isinstance(gradient, Gradient):
        return gradient
    return GRADIENTS[check_choice("gradient", gradient, GRADIENTS)]()
