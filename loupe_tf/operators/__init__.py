"""Forward operators, from an image to its measurement, and solvers for them.

They use `keras.ops`, for layers and networks. `loupe_tf.numpy_operators` has
the same operators for NumPy's complex arrays.
"""

from loupe_tf.operators.cartesian import Cartesian
from loupe_tf.operators.conjugate_gradient import conjugate_gradient
from loupe_tf.operators.power_iteration import power_iteration

__all__ = ["Cartesian", "conjugate_gradient", "power_iteration"]
