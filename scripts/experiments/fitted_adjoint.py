"""The compensated adjoint as a part of a model, to learn curves with."""

import keras

from loupe_tf.models.curves import Curves
from loupe_tf.reconstruction import CompensatedAdjoint


@keras.saving.register_keras_serializable(package="experiments")
class FittedAdjoint(keras.layers.Layer):
    """`loupe_tf.reconstruction.CompensatedAdjoint`, in compiled code.

    It has no parameters: what is learned is only where samples are taken.

    Args:
        size: Tuple `(H, W)`.
        density_compensation: `True` or `"differentiable"`, as for
            `loupe_tf.models.NCPDNet`.
        accuracy: Float, as for `loupe_tf.operators.NonUniform`.

    Inputs:
        A pair `[samples, positions]`, `(batch, 1, shots, samples, 2)` and
        `(1, shots, samples, 2)`.

    Output shape:
        `(batch, H, W, 2)`.
    """

    def __init__(
        self, size, density_compensation=True, accuracy=1e-3, **kwargs
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.curves = Curves(size, None, density_compensation, accuracy)

    def build(self, input_shape):
        """Do nothing: there are no weights."""

    def call(self, inputs):
        samples, positions = inputs
        positions, density = self.curves.operator_inputs(positions)
        scan = self.curves.operator(positions, density)
        return CompensatedAdjoint().solve(scan.scan, density, samples)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], *self.curves.size, 2)

    def get_config(self):
        config = self.curves.get_config()
        del config["trajectory"]
        return {**super().get_config(), **config}
