import keras
from keras import ops

from loupe_tf.checks import check_number
from loupe_tf.layers.seed_generator import ReplicaSeedGenerator, SavesSeedState


@keras.saving.register_keras_serializable(package="loupe_tf")
class SpatialDropout(SavesSeedState, keras.layers.Layer):
    """Dropout of whole image channels, with a random state that is saved.

    The layer does the same as `keras.layers.SpatialDropout2D` (Tompson et al.,
    CVPR 2015) and `SpatialDropout3D`. In addition, the state of its random
    generator is saved with the weights, so a resumed run drops the same
    channels as an uninterrupted one. Each replica drops different channels.

    Args:
        rate: Float in [0, 1), the probability that a channel is dropped.
        seed: Integer or `None`.

    Input shape:
        `(batch, H, W, C)` or `(batch, D, H, W, C)`.

    Output shape:
        Same as the input. In training, each channel of each example is either
        set to zero or multiplied by `1 / (1 - rate)`.
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
