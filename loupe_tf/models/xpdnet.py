import keras
from keras import ops

from loupe_tf.checks import check_integer
from loupe_tf.models.mwcnn import mwcnn
from loupe_tf.models.unrolled import Unrolled


@keras.saving.register_keras_serializable(package="loupe_tf")
class XPDNet(Unrolled):
    """Rebuild an image by a learned primal-dual iteration in image space.

    The state is a buffer X of several images, all of which start as `Aᴴ y`. In
    each iteration a network sees them next to the gradient of the data term
    for the first:

        u = Aᴴ (A X₁ - y),    X = X + N([X, u])

    The result is X₁ (Ramzi, Ciuciu and Starck, "XPDNet for MRI reconstruction:
    an application to the 2020 fastMRI challenge", 2020). The paper also
    refines the sensitivity maps; for that, pass `sensitivities`.

    Args:
        network: Layer N from `(batch, H, W, 2 * (buffers + 1))` to
            `(batch, H, W, 2 * buffers)`. Channels are the pairs (real,
            imaginary) of one image after another. Defaults to a small `mwcnn`;
            its docstring has the paper's sizes.
        iterations: Integer ≥ 1, the number of iterations; 25 in the challenge.
        buffers: Integer ≥ 1, the number of images in X.
        **kwargs: Further arguments of `Unrolled`.

    Inputs and output:
        As for `Unrolled`; the image is complex, `(batch, H, W, 2)`.

    Example:

    ```python
    model = loupe_tf.models.loupe_model(
        (320, 320, 1), acceleration=4, reconstructor=loupe_tf.models.XPDNet()
    )
    ```
    """

    def __init__(self, network=None, iterations=10, buffers=5, **kwargs):
        super().__init__(network, iterations, **kwargs)
        self.buffers = check_integer("buffers", buffers, at_least=1)

    @classmethod
    def unet_channels(cls, buffers=5, **kwargs):
        buffers = check_integer("buffers", buffers, at_least=1)
        return 2 * (buffers + 1), 2 * buffers

    def default_network(self, size):
        channels = 2 * self.buffers
        return mwcnn((*size, channels + 2), output_channels=channels)

    def start(self, scan, kspace):
        image = scan.adjoint(kspace)
        return (ops.concatenate([image] * self.buffers, axis=-1),)

    def step(self, index, scan, kspace, images, training=None):
        gradient = scan.adjoint(scan.forward(images[..., :2]) - kspace)
        found = self.network_at(index)(
            ops.concatenate([images, gradient], axis=-1), training=training
        )
        return (images + ops.cast(found, "float32"),)

    def finish(self, scan, images):
        return images[..., :2]

    def get_config(self):
        return {**super().get_config(), "buffers": self.buffers}
