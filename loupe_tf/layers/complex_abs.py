import keras
from keras import ops

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class ComplexAbs(Float32Layer):
    """Magnitude of (real, imaginary) images.

    Where the magnitude is exactly zero, the gradient is zero rather than NaN.

    Input shape:
        `(..., 2)`, real.

    Output shape:
        `(..., 1)`, float32.
    """

    def call(self, inputs):
        self.check_floating("inputs", inputs)
        real, imag = fourier.split(inputs)
        square = ops.square(real) + ops.square(imag)
        # Adding the smallest normal number keeps the gradient at zero finite,
        # which makes it zero. Its root is then subtracted exactly.
        root = ops.sqrt(square + 2.0**-126) - 2.0**-63
        return ops.expand_dims(root, -1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)
