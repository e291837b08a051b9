"""What is measured of an image: linear operators, each with its adjoint.

In `keras.ops`, for layers and networks; `loupe_tf.numpy_operators` has the same
on NumPy's complex arrays.
"""

from loupe_tf.operators.cartesian import Cartesian

__all__ = ["Cartesian"]
