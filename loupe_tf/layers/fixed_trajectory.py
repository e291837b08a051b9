import keras
from keras import ops

from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.trajectories.trajectory import as_trajectory


@keras.saving.register_keras_serializable(package="loupe_tf")
class FixedTrajectory(Float32Layer):
    """Return the positions of a given trajectory.

    Args:
        trajectory: `Trajectory`, or positions `(shots, samples, 2)` in cycles
            per pixel. It is part of the configuration, so it is saved, loaded
            and cloned with the layer.

    Input shape:
        Any. Nothing of the input is read.

    Output shape:
        `(1, shots, samples, 2)`, (along H, along W), float32.
    """

    def __init__(self, trajectory, **kwargs):
        super().__init__(**kwargs)
        self.trajectory = as_trajectory(trajectory)

    def call(self, inputs):
        positions = self.trajectory.positions[None]
        return ops.convert_to_tensor(positions.astype("float32"))

    def compute_output_shape(self, input_shape):
        return (1, *self.trajectory.positions.shape)

    def get_config(self):
        return {
            **super().get_config(),
            "trajectory": self.trajectory.get_config(),
        }
