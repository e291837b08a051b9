import keras

from loupe_tf.checks import check_number
from loupe_tf.fixed_point.solver import Solver


@keras.saving.register_keras_serializable(package="loupe_tf")
class Picard(Solver):
    """Search for a fixed point by applying the function again and again.

        x ← x + damping · (f(x) - x)

    It converges if f contracts, as slowly as f contracts. With `damping=1`, n
    iterations are an unrolled network of n iterations with shared weights.

    Args:
        tolerance, iterations: As for `Solver`.
        damping: Float in (0, 1], the share of each step that is taken.

    Example:

    >>> found = Picard()(lambda x: 0.5 * x + 1, np.zeros((1, 4)))
    >>> np.round(found.x, 2)
    array([[2., 2., 2., 2.]], dtype=float32)
    """

    def __init__(self, tolerance=1e-4, iterations=100, damping=1.0):
        super().__init__(tolerance, iterations)
        self.damping = check_number("damping", damping, above=0, at_most=1)

    def propose(self, step, x, change, memory):
        return x + self.damping * change, memory

    def get_config(self):
        return {**super().get_config(), "damping": self.damping}
