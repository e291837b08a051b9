import math

import keras
from keras import ops

from loupe_tf.checks import check_integer, check_number
from loupe_tf.models.cnn import cnn
from loupe_tf.models.unrolled import Unrolled
from loupe_tf.operators import conjugate_gradient


@keras.saving.register_keras_serializable(package="loupe_tf")
class MoDL(Unrolled):
    """Rebuild an image by a learned prior and exact data consistency.

    Each iteration applies a network and then solves for the image that fits
    both its result and the measurement:

        z = x + N(x),    x = argmin over x of ‖A x - y‖² + λ ‖x - z‖²

    which is `(Aᴴ A + λ)⁻¹ (Aᴴ y + λ z)` by conjugate gradients (Aggarwal, Mani
    and Jacob, "MoDL: Model-based deep learning architecture for inverse
    problems", IEEE TMI 2019). It starts from `x = Aᴴ y`. The weight λ is
    learned, and stays positive since its logarithm is the variable. The
    gradient is that of the minimum, by as many conjugate gradients again, as in
    the paper: the memory of training does not depend on `solver_iterations`.
    A subclass with another operator gives it a `make_normal`, as `Cartesian`
    has.

    Args:
        network: Layer N from `(batch, H, W, 2)` to the same shape. Defaults to
            the paper's: `cnn`, 5 convolutions with 64 filters and batch
            normalisation.
        iterations: Integer ≥ 1, the number of iterations.
        shared: Boolean. If `True`, as in the paper, all iterations have the
            same network and λ.
        residual: Boolean. If `False`, `z = N(x)`, as in SSDU (Yaman et al.,
            MRM 2020): the network returns the image, not its correction.
        regularization: Positive float, the first λ.
        solver_iterations: Integer ≥ 1, conjugate gradients per iteration. They
            start from z.
        **kwargs: Further arguments of `Unrolled`.

    Inputs and output:
        As for `Unrolled`; the image is complex, `(batch, H, W, 2)`.

    Example:

    ```python
    model = loupe_tf.models.loupe_model(
        (320, 320, 1), acceleration=4, reconstructor=loupe_tf.models.MoDL()
    )
    ```
    """

    # The ten of the paper take longer than the networks.
    unet_defaults = {"solver_iterations": 4}

    def __init__(
        self,
        network=None,
        iterations=10,
        shared=True,
        residual=True,
        regularization=0.05,
        solver_iterations=10,
        **kwargs,
    ):
        super().__init__(network, iterations, shared, **kwargs)
        self.residual = residual
        self.regularization = check_number(
            "regularization", regularization, above=0
        )
        self.solver_iterations = check_integer(
            "solver_iterations", solver_iterations, at_least=1
        )

    def build(self, input_shape):
        super().build(input_shape)
        self.log_weights = self.add_weight(
            shape=(1 if self.shared else self.iterations,),
            initializer=keras.initializers.Constant(
                math.log(self.regularization)
            ),
            name="log_weights",
        )

    def default_network(self, size):
        return cnn((*[None] * len(size), 2), output_channels=2)

    def start(self, scan, kspace):
        return (scan.adjoint(kspace),)

    def step(self, index, scan, kspace, image, training=None):
        weight = ops.exp(self.log_weights[0 if self.shared else index])
        found = ops.cast(
            self.network_at(index)(image, training=training), "float32"
        )
        if self.residual:
            found = image + found
        apply, tensors = scan.make_normal()
        return (
            conjugate_gradient(
                lambda x, weight, *tensors: apply(x, *tensors) + weight * x,
                scan.adjoint(kspace) + weight * found,
                start=found,
                iterations=self.solver_iterations,
                tensors=[weight, *tensors],
            ),
        )

    def finish(self, scan, image):
        return image

    def get_config(self):
        return {
            **super().get_config(),
            "residual": self.residual,
            "regularization": self.regularization,
            "solver_iterations": self.solver_iterations,
        }
