"""Fixed points `x = f(x)`: solvers, and gradients through them.

They use `keras.ops`, work on each example of a batch by itself, and can be
compiled. `loupe_tf.models.DeepEquilibrium` is a reconstructor made of them.
"""

from loupe_tf.fixed_point.anderson import Anderson
from loupe_tf.fixed_point.broyden import Broyden
from loupe_tf.fixed_point.exact import Exact
from loupe_tf.fixed_point.find_fixed_point import find_fixed_point
from loupe_tf.fixed_point.found import FixedPoint
from loupe_tf.fixed_point.gradient import Gradient
from loupe_tf.fixed_point.gradients import GRADIENTS, gradient_of
from loupe_tf.fixed_point.low_rank import LowRank
from loupe_tf.fixed_point.phantom import Phantom
from loupe_tf.fixed_point.picard import Picard
from loupe_tf.fixed_point.shine import Shine
from loupe_tf.fixed_point.solver import Solver
from loupe_tf.on_import import register

__all__ = [
    "Anderson",
    "Broyden",
    "Exact",
    "FixedPoint",
    "GRADIENTS",
    "Gradient",
    "LowRank",
    "Phantom",
    "Picard",
    "Shine",
    "Solver",
    "find_fixed_point",
    "gradient_of",
]

register(at_end_of="fixed_point")  # Unless the import of Keras did it.
