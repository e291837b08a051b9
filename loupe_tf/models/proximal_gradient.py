import math

import keras
from keras import ops

from loupe_tf.checks import check_number
from loupe_tf.models.cnn import cnn
from loupe_tf.models.unrolled import Unrolled


@keras.saving.register_keras_serializable(package="loupe_tf")
class ProximalGradient(Unrolled):
    """Rebuild an image by gradient steps, each followed by a network.

        z = x - η Aᴴ (A x - y),    x = z + N(z)

    It starts from `x = Aᴴ y`. This is proximal gradient descent with a network
    in the place of the proximal operator (Gilton, Ongie and Willett, "Deep
    equilibrium architectures for inverse problems in imaging", IEEE TCI 2021,
    where it is called DE-PROX). The length η is learned, and stays positive
    since its logarithm is the variable.

    Args:
        network: Layer N from `(batch, H, W, 2)` to the same shape. Defaults to
            `cnn` without normalisation.
        iterations: Integer ≥ 1, the number of iterations.
        shared: Boolean. If `True`, all iterations have the same network and η.
        residual: Boolean. If `False`, `x = N(z)`. With a network that
            contracts, such as one of `SpectralConv2D`, and η below 2 over the
            square of A's norm, the iteration then contracts too.
        step_size: Positive float, the first η. Sensitivity maps whose squares
            add up to 1 have norm 1.
        **kwargs: Further arguments of `Unrolled`.

    Inputs and output:
        As for `Unrolled`; the image is complex, `(batch, H, W, 2)`.

    Example:

    >>> network = loupe_tf.models.contracting_cnn((None, None, 2), filters=4)
    >>> step = loupe_tf.models.ProximalGradient(network, residual=False)
    >>> reconstructor = loupe_tf.models.DeepEquilibrium(step)
    """

    def __init__(
        self,
        network=None,
        iterations=10,
        shared=True,
        residual=True,
        step_size=1.0,
        **kwargs,
    ):
        super().__init__(network, iterations, shared, **kwargs)
        self.residual = residual
        self.step_size = check_number("step_size", step_size, above=0)

    def build(self, input_shape):
        super().build(input_shape)
        self.log_steps = self.add_weight(
            shape=(1 if self.shared else self.iterations,),
            initializer=keras.initializers.Constant(math.log(self.step_size)),
            name="log_steps",
        )

    def default_network(self, size):
        return cnn(
            (*[None] * len(size), 2), output_channels=2, normalization=None
        )

    def start(self, scan, kspace):
        return (scan.adjoint(kspace),)

    def step(self, index, scan, kspace, image, training=None):
        length = ops.exp(self.log_steps[0 if self.shared else index])
        moved = image - length * scan.adjoint(scan.forward(image) - kspace)
        found = self.network_at(index)(moved, training=training)
        found = ops.cast(found, "float32")
        return (moved + found if self.residual else found,)

    def finish(self, scan, image):
        return image

    def get_config(self):
        return {
            **super().get_config(),
            "residual": self.residual,
            "step_size": self.step_size,
        }
