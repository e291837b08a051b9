import keras
from keras import ops

from loupe_tf.checks import check_number
from loupe_tf.layers.seed_generator import ReplicaSeedGenerator, SavesSeedState


@keras.saving.register_keras_serializable(package="loupe_tf")
class SpatialDropout(SavesSeedState, keras.layers.Layer):
    """Dropout of whole channels of images, which survives a stop.

    As `keras.layers.SpatialDropout2D` (Tompson et al., CVPR 2015) and its
    three-dimensional sister, but the state of its random numbers is saved with
    the weights, so that a run that was stopped goes on with the noise it would
    have seen, and each replica drops other channels.

    Args:
        rate: Float in [0, 1), the probability that a channel is dropped.
        seed: Integer or `None`.

    Input shape:
        `(batch, H, W, C)` or `(batch, D, H, W, C)`.

    Output shape:
        That of the input; in training each channel of each example is zero or
        multiplied by `1 / (1 - rate)`.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = check_number("rate", rate, at_least=0, below=1)
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def call(self, inputs, training=None):
        if not training:
            return inputs
        return keras.random.dropout(
            inputs,
            self.rate,
            noise_shape=(
                ops.shape(inputs)[0],
                *[1] * (len(inputs.shape) - 2),
                inputs.shape[-1],
            ),
            seed=self.seed_generator,
        )

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
