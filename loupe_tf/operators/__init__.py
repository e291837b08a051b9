"""Forward operators, from an image to its measurement, and solvers for them.

They use `keras.ops`, for layers and networks. `loupe_tf.numpy_operators` has
the Cartesian operators for NumPy's complex arrays, and
`loupe_tf.numpy_fourier.nudft` the exact sum at any position.
"""

from loupe_tf.on_import import register
from loupe_tf.operators.cartesian import Cartesian
from loupe_tf.operators.compensated import Compensated
from loupe_tf.operators.conjugate_gradient import conjugate_gradient
from loupe_tf.operators.density_compensation import density_compensation
from loupe_tf.operators.non_uniform import NonUniform
from loupe_tf.operators.power_iteration import power_iteration
from loupe_tf.operators.toeplitz import Toeplitz

__all__ = [
    "Cartesian",
    "Compensated",
    "NonUniform",
    "Toeplitz",
    "conjugate_gradient",
    "density_compensation",
    "power_iteration",
]

register(at_end_of="operators")  # Unless the import of Keras did it.
