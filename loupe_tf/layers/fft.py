import keras

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class FFT(Float32Layer):
    """Orthonormal 2-D Fourier transform of (real, imaginary) images.

    Args:
        centered: Boolean. If `True`, DC and the origin of the image are at
            `(H // 2, W // 2)`. If `False`, both are in the corner, which is
            cheaper when the transform, a mask and the inverse follow each
            other.

    Input shape:
        `(batch, H, W, 2)` or `(batch, coils, H, W, 2)`, real.

    Output shape:
        Same as the input, float32: k-space with `‖output‖₂ = ‖input‖₂`.

    Example:

    >>> image = np.random.rand(1, 32, 33, 2)
    >>> kspace = loupe_tf.layers.FFT()(image)
    >>> tuple(kspace.shape)
    (1, 32, 33, 2)
    """

    def __init__(self, centered=True, **kwargs):
        super().__init__(**kwargs)
        self.centered = centered

    def call(self, inputs):
        self.check_floating("inputs", inputs)
        return fourier.fft2c(inputs) if self.centered else fourier.fft2(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "centered": self.centered}
