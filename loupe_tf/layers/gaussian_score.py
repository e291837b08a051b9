import keras
import numpy as np
from keras import ops

from loupe_tf import fourier, numpy_fourier
from loupe_tf.checks import invalid
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class GaussianScore(Float32Layer):
    """Compute the score of images with a Gaussian prior, at a noise level.

    The prior has the power spectrum P: the real and the imaginary part of
    `F x` at frequency k are independent and have the variance P(k), and their
    mean is 0. With white noise of level s on both parts of each pixel, the
    score, the gradient of the logarithm of the density, is

        ∇ log p_s(x) = -Fᴴ [ F x / (P + s²) ]

    with F the centred orthonormal Fourier transform.

    Args:
        power: (Optional) array `(H, W)`, the power spectrum P, with DC at
            `(H // 2, W // 2)`. It is a weight that is not trained, so it is
            saved with the weights and is not part of the configuration.
            Without it, call `adapt` before use; until then P is 1.

    Inputs:
        A pair `[image, s]`: tensors `(batch, ..., H, W, 2)`, (real,
        imaginary), and `(batch, 1, ..., 1)` of as many axes.

    Output shape:
        The shape of the image, float32.

    Example:

    >>> prior = loupe_tf.layers.GaussianScore(np.ones((32, 32)))
    >>> s = np.full((1, 1, 1, 1), 0.1)
    >>> tuple(prior([image, s]).shape)
    (1, 32, 32, 2)
    """

    def __init__(self, power=None, **kwargs):
        super().__init__(**kwargs)
        self._initial = None
        if power is not None:
            self._initial = np.asarray(power, "float32")
            self.build([(None, *self._initial.shape, 2)])
            self._initial = None

    def build(self, input_shape):
        if self.built:
            return
        size = tuple(input_shape[0][-3:-1])
        power = np.ones(size) if self._initial is None else self._initial
        if power.shape != size or not (np.isfinite(power) & (power >= 0)).all():
            raise invalid(
                "power",
                "a finite array (H, W), nowhere negative",
                found=f"shape={power.shape}, minimum={np.min(power)}",
            )
        self.power = self.add_weight(
            shape=size,
            initializer=lambda shape, dtype: ops.convert_to_tensor(
                power, dtype=dtype
            ),
            trainable=False,
            name="power",
        )
        self.built = True

    def adapt(self, images):
        """Set P to the mean power spectrum of images.

        Args:
            images: Array `(n, H, W, 2)`, (real, imaginary).
        """
        images = np.asarray(images, "float32")
        if images.ndim != 4 or images.shape[-1] != 2 or not len(images):
            raise invalid(
                "images",
                "complex images of shape (n, H, W, 2)",
                found=f"shape={images.shape}",
            )
        if not np.isfinite(images).all():
            raise invalid("images", "finite values", found="NaN or inf")
        self.build([(None, *images.shape[1:])])
        power = np.zeros(images.shape[1:3])
        for image in images:
            kspace = numpy_fourier.fft2c(image[..., 0] + 1j * image[..., 1])
            power += np.abs(kspace) ** 2 / 2
        self.power.assign((power / len(images)).astype("float32"))

    def call(self, inputs):
        image, s = inputs
        power = self.power[..., None] + ops.square(ops.cast(s, "float32"))
        return -fourier.ifft2c(fourier.fft2c(image) / power)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        # The power is saved with the weights.
        return super().get_config()
