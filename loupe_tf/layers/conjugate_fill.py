import keras
from keras import ops

from loupe_tf.layers.fill_mirror import mirrored
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks.half_plane import half_plane


@keras.saving.register_keras_serializable(package="loupe_tf")
class ConjugateFill(Float32Layer):
    """Fill the other half of a half-plane mask with its mirror.

    The k-space of a real image satisfies `y(-k) = conj y(k)`, so a sample at
    `k` also determines the one at `-k`. Entries outside
    `loupe_tf.masks.half_plane` get the value of their mirror.

    Input shape:
        `(batch, H, W, 1)`: a mask with DC at `(H // 2, W // 2)`. H or W may
        be 1.

    Output shape:
        The same, float32.
    """

    def build(self, input_shape):
        self._half = half_plane(tuple(input_shape[1:3]))[None, :, :, None]

    def call(self, inputs):
        return ops.where(self._half, inputs, mirrored(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape
