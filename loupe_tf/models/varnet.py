import keras
from keras import ops

from loupe_tf import fourier
from loupe_tf.checks import check_choice
from loupe_tf.models.norm_unet import norm_unet
from loupe_tf.models.unrolled import Unrolled
from loupe_tf.operators.cartesian import fit_mask
from loupe_tf.operators.coils import combine_coils, expand_coils


@keras.saving.register_keras_serializable(package="loupe_tf")
class VarNet(Unrolled):
    """Rebuild an image by the end-to-end variational network.

    The state is the k-space k of all coils. Each iteration moves it towards
    the measurement y and subtracts what a network finds in the image that the
    maps S combine:

        k = k - η (M k - y) - F S N(Sᴴ F⁻¹ k)

    It starts as y. The step η is learned, one for each iteration (Sriram et
    al., "End-to-End Variational Networks for Accelerated MRI Reconstruction",
    MICCAI 2020). For maps that are estimated in the network as in the paper,
    pass `sensitivities`.

    Args:
        network: Layer N from `(batch, H, W, 2)` to the same shape. Defaults to
            the paper's: `norm_unet` with 18 filters at the finest scale.
        iterations: Integer ≥ 1, the number of iterations.
        combine: `"sensitivity"` for the complex image `Sᴴ F⁻¹ k`, or `"rss"`
            for the root of the sum of squares of the coil images, as in the
            paper.
        normalize: As for `Unrolled`; here `False`, since the default network
            does it.
        **kwargs: Further arguments of `Unrolled`.

    Inputs and output:
        As for `Unrolled`; the image is `(batch, H, W, 2)`, or
        `(batch, H, W, 1)` with `combine="rss"`.

    Example:

    ```python
    reconstructor = loupe_tf.models.VarNet(iterations=8)
    model = loupe_tf.models.loupe_model(
        (320, 320, 2), acceleration=4, coils="any", reconstructor=reconstructor
    )
    ```
    """

    def __init__(
        self,
        network=None,
        iterations=12,
        combine="sensitivity",
        normalize=False,
        **kwargs,
    ):
        super().__init__(network, iterations, normalize=normalize, **kwargs)
        self.combine = check_choice("combine", combine, ("sensitivity", "rss"))

    def build(self, input_shape):
        super().build(input_shape)
        self.steps = self.add_weight(
            shape=(1 if self.shared else self.iterations,),
            initializer="ones",
            name="steps",
        )

    def default_network(self, size):
        return norm_unet((*size, 2), output_channels=2)

    def start(self, scan, kspace):
        return (kspace,)

    def step(self, index, scan, kspace, state, training=None):
        length = self.steps[0 if self.shared else index]
        predicted = state
        if scan.mask is not None:
            predicted = fit_mask(scan.mask, state) * state
        image = combine_coils(fourier.ifft2c(state), scan.maps)
        found = ops.cast(
            self.network_at(index)(image, training=training), "float32"
        )
        correction = fourier.fft2c(expand_coils(found, scan.maps))
        return (state - length * (predicted - kspace) - correction,)

    def finish(self, scan, state):
        images = fourier.ifft2c(state)
        if self.combine == "sensitivity":
            return combine_coils(images, scan.maps)
        power = ops.sum(ops.square(images), (1, -1))[..., None]
        # A root has an infinite gradient at 0.
        root = ops.sqrt(ops.where(power > 0, power, 1.0))
        return ops.where(power > 0, root, 0.0)

    def get_config(self):
        return {**super().get_config(), "combine": self.combine}
