import keras

from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class OuterMask(Float32Layer):
    """Outer product of two line masks: acquire where a row and a column meet.

    The layer does not use its two arguments itself: it keeps them for
    `loupe_tf.masks.from_model`.

    Args:
        sparsity: Float in (0, 1), the share of entries that was asked for, or
            `None`.
        calibration: `None` or `(h, w)`, the number of rows and columns around
            DC that the two masks always acquire.

    Inputs:
        A pair `[rows, columns]` of shapes `(batch, H, 1, 1)` and
        `(batch, 1, W, 1)`.

    Output shape:
        `(batch, H, W, 1)`, float32.
    """

    def __init__(self, sparsity=None, calibration=None, **kwargs):
        super().__init__(**kwargs)
        self.sparsity = sparsity
        self.calibration = calibration

    def call(self, inputs):
        rows, columns = inputs
        return rows * columns

    def compute_output_shape(self, input_shape):
        rows, columns = input_shape
        return (rows[0], rows[1], columns[2], 1)

    def get_config(self):
        return {
            **super().get_config(),
            "sparsity": self.sparsity,
            "calibration": self.calibration,
        }
