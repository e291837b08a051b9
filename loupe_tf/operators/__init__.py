"""Forward operators, from an image to its measurement, and their adjoints.

They use `keras.ops`, for layers and networks. `loupe_tf.numpy_operators` has
the same operators for NumPy's complex arrays.
"""

from loupe_tf.operators.cartesian import Cartesian

__all__ = ["Cartesian"]
