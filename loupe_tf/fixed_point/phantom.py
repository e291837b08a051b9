import keras
from keras import ops

from loupe_tf.checks import check_integer
from loupe_tf.fixed_point.gradient import Gradient


@keras.saving.register_keras_serializable(package="loupe_tf")
class Phantom(Gradient):
    """Gradient through the last applications of the function alone.

    From the fixed point, f is applied `steps` more times, and these are
    differentiated. This is the sum `w = Σ_i (Jᵀ)ⁱ dL/dx` over i < steps in the
    place of the inverse (Geng et al., "On training implicit models", NeurIPS
    2021). With `steps=1` it is `w = dL/dx`, the Jacobian-free gradient (Fung
    et al., "JFB: Jacobian-free backpropagation for implicit networks", AAAI
    2022). Memory grows with the number of steps.

    Args:
        steps: Integer ≥ 1, the number of applications.
    """

    def __init__(self, steps=5):
        self.steps = check_integer("steps", steps, at_least=1)

    def __call__(self, function, frozen, found):
        x = ops.stop_gradient(found.x)
        for _ in range(self.steps):
            x = function(x)
        return x

    def get_config(self):
        return {"steps": self.steps}
