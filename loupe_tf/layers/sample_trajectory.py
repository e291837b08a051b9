import keras
from keras import ops

from loupe_tf.checks import check_number, invalid
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.operators import NonUniform


@keras.saving.register_keras_serializable(package="loupe_tf")
class SampleTrajectory(Float32Layer):
    """Measure the images of all coils along curves: `yᵢ = F xᵢ`.

    F samples the Fourier transform at the given positions; see
    `loupe_tf.operators.NonUniform`. The result is differentiable in images and
    positions.

    Args:
        accuracy: Float, the relative error that is asked for.

    Inputs:
        A pair `[images, positions]`: the images of the coils
        `(batch, coils, H, W, 2)`, (real, imaginary), and the positions
        `(1 or batch, shots, samples, 2)`, in cycles per pixel.

    Output shape:
        `(batch, coils, shots, samples, 2)`, float32.

    Example:

    >>> trajectory = loupe_tf.trajectories.radial(shots=16, samples=64)
    >>> positions = loupe_tf.layers.FixedTrajectory(trajectory)(image)
    >>> images = loupe_tf.layers.ExpandCoils()([image, maps])
    >>> samples = loupe_tf.layers.SampleTrajectory()([images, positions])
    """

    def __init__(self, accuracy=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.accuracy = check_number("accuracy", accuracy, above=0)

    def build(self, input_shape):
        images, positions = (tuple(shape) for shape in input_shape)
        if len(images) != 5 or images[-1] != 2:
            raise invalid("images", "shape (batch, coils, H, W, 2)", images)
        if len(positions) < 3 or positions[-1] != 2:
            raise invalid(
                "positions", "shape (1 or batch, shots, samples, 2)", positions
            )

    def call(self, inputs):
        images, positions = inputs
        self.check_floating("images", images)
        size = tuple(images.shape[2:-1])
        scan = NonUniform(positions, size, accuracy=self.accuracy)
        # Without maps, the operator takes the coils for slices of a volume.
        return ops.squeeze(scan.forward(images), 1)

    def compute_output_shape(self, input_shape):
        images, positions = input_shape
        return (*images[:2], *positions[1:-1], 2)

    def get_config(self):
        return {**super().get_config(), "accuracy": self.accuracy}
