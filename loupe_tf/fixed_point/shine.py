import keras
from keras import ops

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.fixed_point.broyden import Broyden
from loupe_tf.fixed_point.gradient import Gradient
from loupe_tf.fixed_point.vjp import vjp


@keras.saving.register_keras_serializable(package="loupe_tf")
class Shine(Gradient):
    """Gradient by the inverse that the forward search has estimated.

    `Broyden` leaves an estimate H of `(J - 1)⁻¹`. SHINE takes

        w = -Hᵀ dL/dx,

    which needs no product by the Jacobian (Ramzi et al., "SHINE: SHaring the
    INverse Estimate from the forward pass for bi-level optimization and
    implicit models", ICLR 2022). Where `‖w‖ > fallback · ‖dL/dx‖`, the estimate
    is not to be trusted and `w = dL/dx` takes its place, the Jacobian-free
    gradient.

    With `refinement` > 0, w is the start of as many iterations on the adjoint
    equation `w = Jᵀ w + dL/dx`, which begin with Hᵀ as their estimate.

    Args:
        refinement: Integer ≥ 0, the number of iterations.
        fallback: Float ≥ 1, or `None` to trust every estimate.
    """

    def __init__(self, refinement=0, fallback=1.8):
        self.refinement = check_integer("refinement", refinement, at_least=0)
        self.fallback = fallback
        if fallback is not None:
            self.fallback = check_number("fallback", fallback, at_least=1)

    def __call__(self, function, frozen, found):
        if not found.inverse:
            raise invalid(
                "solver",
                "`Broyden`, for a gradient that shares its inverse estimate",
                found="a solver without one",
            )
        return super().__call__(function, frozen, found)

    def adjoint(self, frozen, found, gradient):
        inverse = found.inverse.transpose()
        w = -inverse.apply(gradient)
        if self.fallback is not None:
            axes = tuple(range(1, len(gradient.shape)))
            size, limit = (
                ops.sum(ops.square(each), axes, keepdims=True)
                for each in (w, self.fallback * gradient)
            )
            w = ops.where(size <= limit, w, gradient)
        if not self.refinement:
            return w
        pull = vjp(frozen, found.x)
        solver = Broyden(tolerance=1e-6, iterations=self.refinement)
        return solver(lambda w: pull(w) + gradient, w, inverse=inverse).x

    def get_config(self):
        return {"refinement": self.refinement, "fallback": self.fallback}
