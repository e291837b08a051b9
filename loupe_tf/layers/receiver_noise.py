import keras
from keras import ops

from loupe_tf.checks import check_number
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.layers.seed_generator import ReplicaSeedGenerator, SavesSeedState


@keras.saving.register_keras_serializable(package="loupe_tf")
class ReceiverNoise(SavesSeedState, Float32Layer):
    """Add the noise of the receivers to k-space, in training alone.

    Complex, Gaussian, white, and independent from coil to coil (Macovski,
    "Noise in MRI", 1996): `k + n`, of which real and imaginary part of each
    sample have the variance σ². The ratio of powers is that of each example,
    over all its N entries, those of all coils together:

        snr = 10 log10( (1/N Σ |k|²) / 2σ² )    dB

    The transform is orthonormal, so the same ratio holds in image space, the
    background of the image included. It is the `snr` of
    `loupe_tf.datasets.Augment`, which adds noise once, before the training.

    The k-space is the fully sampled one: `UnderSample` comes after, and makes
    what is not acquired exactly 0.

    Args:
        snr: Float, in dB.
        seed: Integer or `None`. The state of the generator is saved with the
            layer, and replicas of `tf.distribute` draw different numbers.

    Input shape:
        `(batch, H, W, 2)` or `(batch, coils, H, W, 2)`.

    Output shape:
        The same, float32.
    """

    def __init__(self, snr, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.snr = check_number("snr", snr)
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def call(self, inputs, training=None):
        self.check_floating("inputs", inputs)
        if not training:
            return inputs
        # Real and imaginary parts are entries of their own here: the mean of
        # their squares is |k|² / 2, as σ² is half of the power of the noise.
        axes = tuple(range(1, len(inputs.shape)))
        power = ops.mean(ops.square(inputs), axis=axes, keepdims=True)
        sigma = ops.sqrt(power) * 10 ** (-self.snr / 20)
        noise = keras.random.normal(
            ops.shape(inputs), dtype="float32", seed=self.seed_generator
        )
        return inputs + sigma * noise

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "snr": self.snr, "seed": self.seed}
