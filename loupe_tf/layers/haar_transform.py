import keras
from keras import ops

from loupe_tf.checks import invalid
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class HaarTransform(Float32Layer):
    """Orthonormal 2-D Haar wavelet transform of one level, or its inverse.

    Each block of 2×2 pixels becomes one pixel of four sub-bands,

        LL = (a + b + c + d) / 2,    LH = (a - b + c - d) / 2,
        HL = (a + b - c - d) / 2,    HH = (a - b - c + d) / 2,

    with `a b` the upper and `c d` the lower row (Haar, Mathematische Annalen,
    1910). The matrix is orthogonal, so the inverse is also the adjoint, and the
    transform keeps norms. `mwcnn` uses it as pooling that loses no information
    (Liu et al., "Multi-level wavelet-CNN for image restoration", CVPR Workshops
    2018).

    Args:
        inverse: Boolean. Whether to compute the inverse.

    Input shape:
        `(batch, H, W, C)` with even H and W. For the inverse,
        `(batch, H, W, 4·C)`.

    Output shape:
        `(batch, H / 2, W / 2, 4·C)`, float32: the channels of LL, then LH, HL
        and HH. For the inverse, `(batch, 2·H, 2·W, C)`.

    Example:

    >>> image = np.random.rand(1, 32, 36, 2)
    >>> bands = loupe_tf.layers.HaarTransform()(image)
    >>> tuple(bands.shape)
    (1, 16, 18, 8)
    >>> again = loupe_tf.layers.HaarTransform(inverse=True)(bands)
    >>> np.allclose(again, image, atol=1e-6)
    True
    """

    def __init__(self, inverse=False, **kwargs):
        super().__init__(**kwargs)
        self.inverse = inverse

    def call(self, inputs):
        self.check_floating("inputs", inputs)
        _, height, width, channels = self.compute_output_shape(inputs.shape)
        # What the static shape does not know.
        height = height or _scaled(ops.shape(inputs)[1], self.inverse)
        width = width or _scaled(ops.shape(inputs)[2], self.inverse)
        if self.inverse:
            bands = (-1, height // 2, width // 2, 2, 2, channels)
            x = ops.transpose(ops.reshape(inputs, bands), (0, 1, 3, 2, 4, 5))
            x = _sums_and_differences(x)
        else:
            x = ops.reshape(inputs, (-1, height, 2, width, 2, channels // 4))
            x = _sums_and_differences(x)
            x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, height, width, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        if self.inverse:
            if channels % 4:
                raise invalid(
                    "inputs",
                    "a number of channels that 4 divides",
                    found=f"shape={tuple(input_shape)}",
                )
            channels = channels // 4
        else:
            if (height or 0) % 2 or (width or 0) % 2:
                raise invalid(
                    "inputs",
                    "even H and W",
                    found=f"shape={tuple(input_shape)}",
                )
            channels = 4 * channels
        return (
            batch,
            height and _scaled(height, self.inverse),
            width and _scaled(width, self.inverse),
            channels,
        )

    def get_config(self):
        return {**super().get_config(), "inverse": self.inverse}


def _scaled(size, inverse):
    return 2 * size if inverse else size // 2


def _sums_and_differences(x):
    """Apply the 2×2 matrix [[1, 1], [1, -1]] / √2 along the axes 2 and 4."""
    for axis in (2, 4):
        first, second = ops.split(x, 2, axis)
        x = ops.concatenate([first + second, first - second], axis)
    return x / 2
