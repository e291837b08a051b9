import os

import keras
from keras import ops

from loupe_tf.checks import check_integer, invalid
from loupe_tf.fixed_point.low_rank import LowRank
from loupe_tf.fixed_point.solver import FLOAT32, Solver, norm


@keras.saving.register_keras_serializable(package="loupe_tf")
class Broyden(Solver):
    """Search for a fixed point by Broyden's quasi-Newton method.

    With `g(x) = f(x) - x` and an estimate H of the inverse of its Jacobian,

        x ← x - H g(x),
        H ← H + (Δx - H Δg) Δxᵀ H / (Δxᵀ H Δg),

    so that `H Δg = Δx` (Broyden, "A class of methods for solving nonlinear
    simultaneous equations", 1965). It starts from `H = -1`, which makes the
    first step one of `Picard`. The result has H as `inverse`; SHINE uses it for
    the gradient.

    An update is left out if Δg is at the level of rounding, since it would
    fill H with noise. When the memory is full, H stays as it is and the search
    goes on.

    Args:
        tolerance, iterations: As for `Solver`.
        memory: (Optional) integer ≥ 1, the largest number of updates of H; by
            default as many as iterations. It takes `8 · memory` bytes for each
            entry of x.

    Raises:
        ValueError: If an argument is invalid, or when it is called, if the
            memory is more than half of what the machine has. Where a batch has
            no fixed size, that of one example counts.

    Example:

    >>> found = Broyden()(lambda x: 0.5 * x + 1, np.zeros((1, 4)))
    >>> np.round(found.x, 2)
    array([[2., 2., 2., 2.]], dtype=float32)
    """

    def __init__(self, tolerance=1e-4, iterations=30, memory=None):
        super().__init__(tolerance, iterations)
        self.memory = memory
        if memory is not None:
            self.memory = check_integer("memory", memory, at_least=1)

    def memory_for(self, x, inverse=None):
        """Return u, v and the number of updates, from an estimate or none."""
        number = self.iterations if self.memory is None else self.memory
        self._check_size(x.shape, number)
        used = ops.zeros_like(x[:, 0], "int32")
        empty = ops.zeros_like(x)[:, None] * ops.zeros(
            (1, number, 1), "float32"
        )
        if inverse is None:
            return empty, empty, used
        left, right = (
            ops.concatenate([each, empty], 1)
            for each in (inverse.left, inverse.right)
        )
        return left, right, used + inverse.left.shape[1]

    def propose(self, step, x, change, memory):
        return x - LowRank(*memory[:2]).apply(change), memory

    def learn(self, good, x, moved, changed, memory):
        left, right, used = memory
        inverse = LowRank(left, right)
        predicted = inverse.apply(changed)
        back = inverse.transpose().apply(moved)
        product = ops.sum(moved * predicted, -1)
        noise = norm(changed) <= FLOAT32 * norm(x)
        flat = ops.abs(product) <= FLOAT32 * norm(moved) * norm(predicted)
        good = ops.logical_and(good, ~ops.logical_or(noise, flat))
        place = ops.arange(left.shape[1])[None] == used[:, None]
        place = ops.logical_and(place, good[:, None])[..., None]
        product = ops.where(good, product, 1.0)
        u = (moved - predicted) / product[:, None]
        left = ops.where(place, u[:, None], left)
        right = ops.where(place, back[:, None], right)
        return left, right, used + ops.cast(good, "int32")

    def with_inverse(self, found, memory):
        return found._replace(inverse=LowRank(*memory[:2]))

    def get_config(self):
        return {**super().get_config(), "memory": self.memory}

    def _check_size(self, shape, number):
        """Refuse what the machine cannot hold, before it is asked for."""
        # In a symbolic call the batch is unknown, or a symbol.
        batch, size = (n if isinstance(n, int) else 1 for n in shape)
        needed, there = 8 * batch * size * number, _machine_memory()
        if needed > there / 2:
            raise invalid(
                "memory",
                f"a number of updates that fits into half of the machine's "
                f"{there / 2**30:.1f} GiB",
                found=f"memory={number}, which takes {needed / 2**30:.1f} GiB "
                f"for {batch} examples of {size} numbers",
            )


def _machine_memory():
    """Return the bytes of this machine's memory; infinity if unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows.
        return float("inf")
