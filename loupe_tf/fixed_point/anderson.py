import keras
from keras import ops

from loupe_tf.checks import check_integer, check_number
from loupe_tf.fixed_point.solver import Solver, norm


@keras.saving.register_keras_serializable(package="loupe_tf")
class Anderson(Solver):
    """Search for a fixed point by Anderson's mixing of the last iterates.

    With `g(x) = f(x) - x`, the next iterate is

        x ← Σ_i α_i (x_i + damping · g(x_i)),    Σ_i α_i = 1,

    over the last iterates x_i; the weights α minimise `‖Σ_i α_i g(x_i)‖²`
    (Anderson, "Iterative procedures for nonlinear integral equations", 1965;
    Walker and Ni, "Anderson acceleration for fixed-point iterations", 2011).
    The terms are scaled to `‖g(x_i)‖ = 1` before the regularization is added,
    so it does not depend on how far the search has come.

    Args:
        tolerance, iterations: As for `Solver`.
        memory: Integer ≥ 1, the number of iterates that are mixed.
        damping: Float in (0, 1], the share of each step that is taken.
        regularization: Positive float, added to the diagonal of the
            correlations of the g(x_i).

    Example:

    >>> found = Anderson()(lambda x: 0.5 * x + 1, np.zeros((1, 4)))
    >>> np.round(found.x, 2)
    array([[2., 2., 2., 2.]], dtype=float32)
    """

    def __init__(
        self,
        tolerance=1e-4,
        iterations=30,
        memory=5,
        damping=1.0,
        regularization=1e-6,
    ):
        super().__init__(tolerance, iterations)
        self.memory = check_integer("memory", memory, at_least=1)
        self.damping = check_number("damping", damping, above=0, at_most=1)
        self.regularization = check_number(
            "regularization", regularization, at_least=1e-7
        )

    def memory_for(self, x):
        empty = ops.stack([ops.zeros_like(x)] * self.memory, 1)
        return empty, empty

    def propose(self, step, x, change, memory):
        here = ops.equal(ops.arange(self.memory), step % self.memory)
        iterates, changes = (
            ops.where(here[None, :, None], new[:, None], old)
            for new, old in zip((x, change), memory)
        )
        lengths = ops.sqrt(ops.sum(ops.square(changes), -1))
        used = lengths > 0
        inverse = ops.where(used, 1 / ops.where(used, lengths, 1.0), 0.0)
        scaled = changes * inverse[..., None]
        correlations = ops.einsum("bin,bjn->bij", scaled, scaled)
        # Empty places get the equation α = 0.
        diagonal = ops.where(used, self.regularization, 1.0)
        matrix = correlations + diagonal[..., None] * ops.eye(
            self.memory, dtype="float32"
        )
        # Relative to the last, for their scale is arbitrary.
        right = inverse * norm(change)[:, None]
        weights = ops.solve(matrix, right[..., None])[..., 0] * inverse
        total = ops.sum(weights, -1, keepdims=True)
        weights = weights / ops.where(total != 0, total, 1.0)
        mixed = iterates + self.damping * changes
        return ops.einsum("bi,bin->bn", weights, mixed), (iterates, changes)

    def get_config(self):
        return {
            **super().get_config(),
            "memory": self.memory,
            "damping": self.damping,
            "regularization": self.regularization,
        }
