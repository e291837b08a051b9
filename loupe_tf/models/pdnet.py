import keras
from keras import ops

from loupe_tf.checks import check_integer, invalid
from loupe_tf.models.cnn import cnn
from loupe_tf.models.unrolled import Unrolled


@keras.saving.register_keras_serializable(package="loupe_tf")
class PDNet(Unrolled):
    """Rebuild an image by a learned primal-dual iteration.

    Networks act in image space and in k-space in turn, on a buffer X of images
    and a buffer D of k-spaces:

        D = D + K([D, A X₁, y]),    X = X + N([X, Aᴴ D₁])

    They start as `Aᴴ y` and as y, and the result is X₁ (Adler and Öktem,
    "Learned primal-dual reconstruction", IEEE TMI 2018; for MRI, Ramzi,
    Ciuciu and Starck, "Benchmarking MRI reconstruction neural networks on
    large public datasets", 2020). `XPDNet` has the images only. K sees one
    coil at a time.

    Args:
        network: Layer N from `(batch, H, W, 2 * (buffers + 1))` to
            `(batch, H, W, 2 * buffers)`. Channels are the pairs (real,
            imaginary) of one image after another. Defaults to the paper's:
            `cnn`, 3 convolutions with 32 filters.
        kspace_network: Layer K from `(batch, H, W, 2 * (buffers + 2))` to
            `(batch, H, W, 2 * buffers)`, with the same default.
        iterations: Integer ≥ 1, the number of iterations.
        buffers: Integer ≥ 1, the number of images in X and of k-spaces in D.
        **kwargs: Further arguments of `Unrolled`.

    Inputs and output:
        As for `Unrolled`; the image is complex, `(batch, H, W, 2)`.
    """

    def __init__(
        self,
        network=None,
        kspace_network=None,
        iterations=10,
        buffers=5,
        **kwargs,
    ):
        super().__init__(network, iterations, **kwargs)
        if kspace_network is not None and not isinstance(
            kspace_network, keras.layers.Layer
        ):
            raise invalid(
                "kspace_network",
                "a Keras layer or model, or None",
                kspace_network,
            )
        self.buffers = check_integer("buffers", buffers, at_least=1)
        self.kspace_network = kspace_network
        self.kspace_networks = (
            [] if kspace_network is None else self._copies(kspace_network)
        )

    @classmethod
    def unet_channels(cls, buffers=5, **kwargs):
        buffers = check_integer("buffers", buffers, at_least=1)
        return 2 * (buffers + 1), 2 * buffers

    def build(self, input_shape):
        super().build(input_shape)
        if not self.kspace_networks:
            size = tuple(input_shape[0][2:-1])
            network = self._default(size, self.buffers + 2, "kspace_cnn")
            self.kspace_networks = self._copies(network)

    def default_network(self, size):
        return self._default(size, self.buffers + 1, "cnn")

    def start(self, scan, kspace):
        image = scan.adjoint(kspace)
        return (
            ops.concatenate([image] * self.buffers, axis=-1),
            ops.concatenate([kspace] * self.buffers, axis=-1),
        )

    def step(self, index, scan, kspace, images, kspaces, training=None):
        network = self.kspace_networks[0 if self.shared else index]
        predicted = scan.forward(images[..., :2])
        seen = ops.concatenate([kspaces, predicted, kspace], axis=-1)
        *coils, channels = ops.shape(seen)[1:]
        found = network(
            ops.reshape(seen, (-1, *coils[1:], channels)), training=training
        )
        found = ops.reshape(found, ops.shape(kspaces))
        kspaces = kspaces + ops.cast(found, "float32")
        seen = [images, scan.adjoint(kspaces[..., :2])]
        found = self.network_at(index)(
            ops.concatenate(seen, axis=-1), training=training
        )
        return images + ops.cast(found, "float32"), kspaces

    def finish(self, scan, images, kspaces):
        return images[..., :2]

    def get_config(self):
        network = self.kspace_network
        return {
            **super().get_config(),
            "kspace_network": network
            and keras.saving.serialize_keras_object(network),
            "buffers": self.buffers,
        }

    def _default(self, size, images, name):
        shape = (*[None] * len(size), 2 * images)
        return cnn(
            shape,
            output_channels=2 * self.buffers,
            depth=3,
            filters=32,
            normalization=None,
            name=name,
        )
