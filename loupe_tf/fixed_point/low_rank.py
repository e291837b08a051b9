from typing import Any, NamedTuple

from keras import ops


class LowRank(NamedTuple):
    """Minus the identity plus a matrix of low rank, `H = -1 + Σ_j u_j v_jᵀ`.

    `Broyden` estimates the inverse Jacobian of `f(x) - x` in this form.

    Args:
        left: Tensor `(batch, rank, n)`, the vectors u. Unused ones are 0.
        right: Tensor `(batch, rank, n)`, the vectors v.
    """

    left: Any
    right: Any

    def apply(self, x):
        """Return `H x` for x of shape `(batch, ...)` with n entries each."""
        flat = ops.reshape(x, (-1, self.left.shape[-1]))
        weights = ops.einsum("bmn,bn->bm", self.right, flat)
        product = ops.einsum("bmn,bm->bn", self.left, weights) - flat
        return ops.reshape(product, ops.shape(x))

    def transpose(self):
        """Return `Hᵀ`."""
        return LowRank(self.right, self.left)
