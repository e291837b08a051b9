import keras
from keras import ops

from loupe_tf.checks import check_integer, check_number
from loupe_tf.fixed_point.found import FixedPoint

# The smallest tolerance: rounding in float32 leaves a larger residual.
FLOAT32 = 1e-6


class Solver:
    """Base of the solvers of `x = f(x)`, for each example of a batch.

    Examples do not influence each other. One whose relative residual
    `‖f(x) - x‖ / ‖f(x)‖` has reached the tolerance stays as it is while the
    others go on, and so does one that is no longer finite. The result is the
    iterate with the smallest residual, be it the last or not. No gradient
    flows through a solver; `find_fixed_point` has one.

    A subclass implements `propose`, the next iterate, and if it needs memory
    also `memory_for` and `learn`.

    Args:
        tolerance: Float ≥ 1e-6, the residual at which an example stops.
            Float32 has no more digits.
        iterations: Integer ≥ 0, the largest number of iterations. Each
            evaluates f once, after one evaluation at the start.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(self, tolerance=1e-4, iterations=30):
        self.tolerance = check_number(
            "tolerance", tolerance, at_least=FLOAT32, below=1
        )
        self.iterations = check_integer("iterations", iterations, at_least=0)

    def __call__(
        self, function, start, tolerance=None, iterations=None, **options
    ):
        """Search for a fixed point.

        Args:
            function: Callable f from a tensor `(batch, ...)` to one of the
                same shape. No gradient may be watched of the tensors that
                it uses.
            start: Tensor `(batch, ...)`, the first iterate.
            tolerance, iterations: (Optional) numbers, or scalar tensors that
                a compiled function reads, in place of the solver's.

        Returns:
            `FixedPoint`.
        """
        start = ops.stop_gradient(ops.cast(start, "float32"))
        shape = ops.shape(start)
        size = 1
        for n in shape[1:]:
            size = size * n
        if tolerance is None:
            tolerance = self.tolerance
        if iterations is None:
            iterations = self.iterations

        def evaluate(x):
            """Return the change `f(x) - x` and its size relative to f(x)."""
            value = function(ops.reshape(x, shape))
            value = ops.reshape(ops.cast(value, "float32"), (-1, size))
            change = value - x
            length = norm(value)
            residual = norm(change) / ops.where(length > 0, length, 1.0)
            finite = ops.isfinite(residual)
            return change, ops.where(finite, residual, float("inf"))

        def goes_on(step, x, change, active, *_):
            return ops.logical_and(step < iterations, ops.any(active))

        def iterate(step, x, change, active, best, steps, *memory):
            proposed, memory = self.propose(step, x, change, memory)
            following = ops.where(active[:, None], proposed, x)
            new, residual = evaluate(following)
            good = ops.logical_and(active, ops.isfinite(residual))
            memory = self.learn(
                good, following, following - x, new - change, memory
            )
            x = ops.where(good[:, None], following, x)
            change = ops.where(good[:, None], new, change)
            better = ops.logical_and(good, residual < best[2])
            best = tuple(
                ops.where(better[:, None] if old.ndim == 2 else better, a, old)
                for a, old in zip((x, change, residual), best)
            )
            steps = steps + ops.cast(active, "int32")
            active = ops.logical_and(good, best[2] > tolerance)
            return (step + 1, x, change, active, best, steps, *memory)

        x = ops.reshape(start, (-1, size))
        change, residual = evaluate(x)
        finite = ops.isfinite(residual)
        x, change = (
            ops.where(finite[:, None], each, 0.0) for each in (x, change)
        )
        active = ops.logical_and(finite, residual > tolerance)
        state = (
            ops.convert_to_tensor(0, "int32"),
            x,
            change,
            active,
            (x, change, residual),
            ops.zeros_like(residual, "int32"),
            *self.memory_for(x, **options),
        )
        _, _, _, _, best, steps, *memory = ops.while_loop(
            goes_on, iterate, state
        )
        x, change, smallest = best
        usable = ops.logical_and(residual > 0, ops.isfinite(residual))
        ratio = ops.where(usable, smallest, 1.0) / ops.where(
            usable, residual, 1.0
        )
        number = ops.cast(ops.maximum(steps, 1), "float32")
        rate = ops.where(steps > 0, ops.power(ratio, 1 / number), 0.0)
        found = FixedPoint(
            ops.reshape(x, shape),
            ops.reshape(x + change, shape),
            smallest,
            steps,
            ops.where(finite, rate, 1.0),
        )
        return keras.tree.map_structure(
            ops.stop_gradient, self.with_inverse(found, memory)
        )

    def memory_for(self, x):
        """Return the empty memory, a tuple of tensors, for x `(batch, n)`."""
        return ()

    def propose(self, step, x, change, memory):
        """Return the next iterate `(batch, n)`, and the memory."""
        raise NotImplementedError

    def learn(self, good, x, moved, changed, memory):
        """Return the memory after an iteration.

        Args:
            good: Boolean tensor `(batch,)`, the examples that may learn.
            x: Tensor `(batch, n)`, the new iterate.
            moved: Tensor `(batch, n)`, its difference from the last.
            changed: The same difference of `f(x) - x`.
            memory: Tuple of tensors.
        """
        return memory

    def with_inverse(self, found, memory):
        """Return the result, with an inverse Jacobian if it is estimated."""
        return found

    def get_config(self):
        return {"tolerance": self.tolerance, "iterations": self.iterations}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def norm(x):
    """Return the Euclidean norm of each example of x `(batch, n)`."""
    return ops.sqrt(ops.sum(ops.square(x), -1))
