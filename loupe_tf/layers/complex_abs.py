import keras
from keras import ops

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class ComplexAbs(Float32Layer):
    """Magnitude of (real, imaginary) images.

    The gradient where the magnitude is exactly zero is zero, not NaN.

    Input shape:
        `(..., 2)`, real.

    Output shape:
        `(..., 1)`, float32.
    """

    def call(self, inputs):
        self.check_floating("inputs", inputs)
        real, imag = fourier.split(inputs)
        square = ops.square(real) + ops.square(imag)
        positive = square > 0
        root = ops.sqrt(ops.where(positive, square, 1.0))
        return ops.expand_dims(ops.where(positive, root, 0.0), -1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)
