import keras

from loupe_tf.layers import FixedTrajectory
from loupe_tf.samplers.sampler import Sampler
from loupe_tf.trajectories.trajectory import as_trajectory, check_matrix


@keras.saving.register_keras_serializable(package="loupe_tf")
class GivenTrajectory(Sampler):
    """A given trajectory, the same for all examples: nothing is learned.

    Args:
        trajectory: `Trajectory`, or positions `(shots, samples, 2)` in cycles
            per pixel. If it has a `matrix`, the images must have this size.
    """

    curves = True

    def __init__(self, trajectory):
        self.trajectory = as_trajectory(trajectory)
        self.field_of_view = self.trajectory.field_of_view

    def __call__(self, reference):
        check_matrix(self.trajectory, reference.shape[-3:-1])
        layer = FixedTrajectory(self.trajectory, name="sampled_trajectory")
        return layer(reference)

    def get_config(self):
        return {"trajectory": self.trajectory.get_config()}
