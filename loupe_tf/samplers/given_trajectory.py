import keras

from loupe_tf.layers import FixedTrajectory
from loupe_tf.samplers.sampler import Sampler
from loupe_tf.trajectories.trajectory import as_trajectory


@keras.saving.register_keras_serializable(package="loupe_tf")
class GivenTrajectory(Sampler):
    """A given trajectory, the same for all examples: nothing is learned.

    Args:
        trajectory: `Trajectory`, or positions `(shots, samples, 2)` in cycles
            per pixel.
    """

    curves = True

    def __init__(self, trajectory):
        self.trajectory = as_trajectory(trajectory)
        self.field_of_view = self.trajectory.field_of_view

    def __call__(self, reference):
        layer = FixedTrajectory(self.trajectory, name="sampled_trajectory")
        return layer(reference)

    def get_config(self):
        return {"trajectory": self.trajectory.get_config()}
