import keras
from keras import ops

from loupe_tf.layers.fill_mirror import mirrored
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks.half_plane import half_plane


@keras.saving.register_keras_serializable(package="loupe_tf")
class ConjugateFill(Float32Layer):
    """Fill a mask of a half-plane with its mirror: what a real image tells.

    A real image has `y(-k) = conj y(k)`, so that whoever has acquired `k`
    knows `-k` too. Entries outside of `loupe_tf.masks.half_plane` get what
    their mirror has.

    Input shape:
        `(batch, H, W, 1)`, a mask with DC at `(H // 2, W // 2)`; H or W may
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
