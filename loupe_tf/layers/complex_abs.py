import keras
from keras import ops

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
        square = ops.sum(ops.square(inputs), axis=-1, keepdims=True)
        positive = square > 0
        root = ops.sqrt(ops.where(positive, square, 1.0))
        return ops.where(positive, root, 0.0)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)
