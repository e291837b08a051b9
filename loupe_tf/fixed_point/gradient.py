from keras import ops

from loupe_tf.backward import with_backward


class Gradient:
    """Base of the gradients of a fixed point `x = f(x, θ)`.

    The implicit function theorem gives the gradient of a loss L as

        dL/dθ = wᵀ ∂f/∂θ,    w = (1 - J)⁻ᵀ dL/dx,    J = ∂f/∂x,

    at the fixed point. A subclass implements `adjoint`, which finds w or an
    approximation. The value is f(x), one application after the search, whose
    own gradient is then taken with w in the place of dL/dx. Memory does not
    depend on the number of iterations.
    """

    def __call__(self, function, frozen, found):
        """Return `f(x)` at a fixed point, with the gradient.

        Args:
            function: Callable f, x ↦ f(x, θ), with the gradient in θ.
            frozen: The same function, without a gradient in θ.
            found: `FixedPoint`.

        Returns:
            Tensor of the shape of x.
        """
        return with_backward(
            function(ops.stop_gradient(found.x)),
            lambda gradient: self.adjoint(frozen, found, gradient),
        )

    def adjoint(self, frozen, found, gradient):
        """Return w for the gradient dL/dx, of the same shape."""
        raise NotImplementedError

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
