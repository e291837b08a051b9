import keras
from keras import ops


@keras.saving.register_keras_serializable(package="loupe_tf")
class LogitUniform(keras.initializers.Initializer):
    """Logits whose probabilities σ(t·γ) are uniform in `[eps, 1 - eps]`.

    This is the initialisation of LOUPE's second version. Logits that are
    themselves uniform would start with most probabilities near 0 and 1.

    Args:
        slope: Float, the t of the sigmoid that turns logits into probabilities.
        eps: Float in (0, 0.5), smallest distance of the probabilities from 0
            and 1.
        seed: Integer or `None`.
    """

    def __init__(self, slope=5.0, eps=0.01, seed=None):
        self.slope = slope
        self.eps = eps
        self.seed = seed
        self._uniform = keras.initializers.RandomUniform(eps, 1 - eps, seed)

    def __call__(self, shape, dtype=None):
        """Draw logits of the given shape."""
        prob = self._uniform(shape, dtype)
        return ops.log(prob / (1.0 - prob)) / self.slope

    def get_config(self):
        return {"slope": self.slope, "eps": self.eps, "seed": self.seed}
