import keras

from loupe_tf.checks import check_integer
from loupe_tf.samplers.sampler import Sampler


@keras.saving.register_keras_serializable(package="loupe_tf")
class TrajectoryInput(Sampler):
    """A trajectory for each example, given as an additional input.

    The input is `positions`, `(batch, shots, samples, 2)`, (along H, along W),
    float32, in cycles per pixel. A network trained with it is not bound to one
    trajectory.

    Args:
        shots: Integer, number of shots.
        samples: Integer, number of samples in each.
    """

    curves = True

    def __init__(self, shots, samples):
        self.shots = check_integer("shots", shots, at_least=1)
        self.samples = check_integer("samples", samples, at_least=1)

    def inputs(self, size):
        shape = (self.shots, self.samples, 2)
        return [keras.Input(shape, dtype="float32", name="positions")]

    def __call__(self, reference, positions):
        return positions

    def get_config(self):
        return {"shots": self.shots, "samples": self.samples}
