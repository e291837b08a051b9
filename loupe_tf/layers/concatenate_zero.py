import keras
from keras import ops

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class ConcatenateZero(Float32Layer):
    """Give a real image an imaginary part of zero.

    Input shape:
        `(..., 1)`, real.

    Output shape:
        `(..., 2)`, float32: (real, imaginary).
    """

    def call(self, inputs):
        self.check_floating("inputs", inputs)
        # `zeros_like`, not `0 * inputs`, which is NaN where the input is.
        real = ops.squeeze(inputs, -1)
        return fourier.join(real, ops.zeros_like(real))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1])
