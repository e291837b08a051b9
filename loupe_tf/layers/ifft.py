import keras

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class IFFT(Float32Layer):
    """Inverse, and adjoint, of `loupe_tf.layers.FFT`.

    Args:
        centered: Boolean. Whether DC and the origin of the image are at
            `(H // 2, W // 2)` or in the corner; see `FFT`.

    Input shape:
        `(batch, H, W, 2)` or `(batch, coils, H, W, 2)`, real: k-space.

    Output shape:
        Same as the input, float32: images as (real, imaginary).
    """

    def __init__(self, centered=True, **kwargs):
        super().__init__(**kwargs)
        self.centered = centered

    def call(self, inputs):
        self.check_floating("inputs", inputs)
        if self.centered:
            return fourier.ifft2c(inputs)
        return fourier.ifft2(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "centered": self.centered}
