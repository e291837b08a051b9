import math

import keras
import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, check_number, invalid


@keras.saving.register_keras_serializable(package="loupe_tf")
class SpectralConv2D(keras.layers.Conv2D):
    """Convolution whose operator norm is at most a given number.

    The kernel K is divided by `max(1, ‖K‖ / norm)`, with ‖K‖ the norm of the
    convolution on a periodic grid: the largest singular value, over all
    frequencies, of the matrix of channels that K has there (Sedghi, Gupta and
    Long, "The singular values of convolutional layers", ICLR 2019). Zero
    padding makes it no larger. `keras.layers.SpectralNormalization` bounds the
    kernel as one matrix instead, which is not the norm of the convolution.

    The singular values are estimated by the power method, with one iteration
    at each frequency in each step of training (Miyato et al., "Spectral
    normalization for generative adversarial networks", ICLR 2018). While the
    weights move, the norm can be larger than the bound by some percent.

    Args:
        filters, kernel_size: As for `keras.layers.Conv2D`, with a stride of 1
            and `padding="same"`.
        norm: Positive float, the largest norm.
        grid: Integer ≥ the size of the kernel, the number of frequencies in
            each axis.
        **kwargs: Further arguments of `keras.layers.Conv2D`.

    Input and output:
        `(batch, H, W, channels)`, channels last.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> layer = SpectralConv2D(8, 3, norm=0.9, activation="relu")
    >>> tuple(layer(np.ones((1, 6, 6, 2))).shape)
    (1, 6, 6, 8)
    """

    def __init__(self, filters, kernel_size, norm=1.0, grid=12, **kwargs):
        defaults = {"padding": "same", "data_format": "channels_last"}
        super().__init__(filters, kernel_size, **{**defaults, **kwargs})
        self.norm = check_number("norm", norm, above=0)
        self.grid = check_integer("grid", grid, at_least=max(self.kernel_size))
        for name in ("strides", "dilation_rate", "groups"):
            value = getattr(self, name)
            if set(np.ravel(value)) != {1}:
                raise invalid(name, "1", value)

    def build(self, input_shape):
        super().build(input_shape)
        # A unit vector of input channels at each frequency, real and imaginary.
        shape = (2, self.grid**2, input_shape[-1])
        start = np.random.default_rng(0).normal(size=shape)
        start /= np.sqrt((start**2).sum((0, 2), keepdims=True))
        self.directions = self.add_weight(
            shape=shape,
            initializer=lambda *_, **__: ops.convert_to_tensor(
                start.astype("float32")
            ),
            trainable=False,
            name="directions",
        )

    def call(self, inputs, training=None):
        if training:
            self.directions.assign(self._power_step())
        return super().call(inputs)

    def convolution_op(self, inputs, kernel):
        scale = ops.maximum(1.0, self.estimate() / self.norm)
        return super().convolution_op(
            inputs, kernel / ops.cast(scale, kernel.dtype)
        )

    def estimate(self):
        """Return the estimate of the norm of the kernel as it is stored."""
        real, imag = self._spectrum()
        a, b = ops.unstack(ops.stop_gradient(self.directions.value), 2)
        product = ops.stack(_multiply(real, imag, a, b))
        lengths = ops.sum(ops.square(product), (0, 2))
        largest = ops.max(lengths)
        return ops.sqrt(ops.where(largest > 0, largest, 1e-12))

    def _spectrum(self):
        """Return the matrix of channels at each frequency, in two parts."""
        kernel = ops.cast(self.kernel, "float32")
        height, width, channels, filters = kernel.shape
        angles = [
            2 * math.pi / self.grid * np.outer(np.arange(self.grid), range(n))
            for n in (height, width)
        ]
        angle = angles[0][:, None, :, None] + angles[1][None, :, None, :]
        angle = angle.reshape(self.grid**2, height * width)
        kernel = ops.reshape(kernel, (height * width, channels * filters))
        shape = (self.grid**2, channels, filters)
        return (
            ops.transpose(
                ops.reshape(ops.matmul(wave.astype("float32"), kernel), shape),
                (0, 2, 1),
            )
            for wave in (np.cos(angle), -np.sin(angle))
        )

    def _power_step(self):
        real, imag = (ops.stop_gradient(x) for x in self._spectrum())
        a, b = _multiply(real, imag, *ops.unstack(self.directions.value, 2))
        transposed = (ops.transpose(x, (0, 2, 1)) for x in (real, -imag))
        found = ops.stack(_multiply(*transposed, a, b))
        size = ops.sqrt(ops.sum(ops.square(found), (0, 2), keepdims=True))
        used = size > 0
        return ops.where(
            used, found / ops.where(used, size, 1.0), self.directions.value
        )

    # The base class saves its own two weights alone.
    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["directions"] = self.directions

    def load_own_variables(self, store):
        super().load_own_variables(store)
        self.directions.assign(store["directions"])

    def get_config(self):
        return {**super().get_config(), "norm": self.norm, "grid": self.grid}


def _multiply(real, imag, a, b):
    """Multiply complex matrices and vectors, each of two parts."""

    def apply(matrix, vector):
        return ops.squeeze(ops.matmul(matrix, vector[..., None]), -1)

    return (
        apply(real, a) - apply(imag, b),
        apply(real, b) + apply(imag, a),
    )
