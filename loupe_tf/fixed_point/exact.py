import keras

from loupe_tf.checks import invalid
from loupe_tf.fixed_point.broyden import Broyden
from loupe_tf.fixed_point.gradient import Gradient
from loupe_tf.fixed_point.solver import Solver
from loupe_tf.fixed_point.vjp import vjp


@keras.saving.register_keras_serializable(package="loupe_tf")
class Exact(Gradient):
    """Gradient of a fixed point by solving the adjoint equation.

    `w = Jᵀ w + dL/dx` is the search for another fixed point, with a product by
    Jᵀ in each iteration (Bai, Kolter and Koltun, "Deep equilibrium models",
    NeurIPS 2019). It costs about as much as the search for x.

    Args:
        solver: (Optional) `Solver` of the adjoint equation; by default
            `Broyden` with a tolerance of 1e-5.
    """

    def __init__(self, solver=None):
        if solver is None:
            solver = Broyden(tolerance=1e-5)
        if not isinstance(solver, Solver):
            raise invalid(
                "solver", "a solver of `loupe_tf.fixed_point`", solver
            )
        self.solver = solver

    def adjoint(self, frozen, found, gradient):
        pull = vjp(frozen, found.x)
        return self.solver(lambda w: pull(w) + gradient, gradient).x

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {"solver": serialize(self.solver)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["solver"]))
