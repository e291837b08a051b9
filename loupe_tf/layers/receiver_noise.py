import keras
from keras import ops

from loupe_tf.checks import check_number
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.layers.seed_generator import ReplicaSeedGenerator, SavesSeedState


@keras.saving.register_keras_serializable(package="loupe_tf")
class ReceiverNoise(SavesSeedState, Float32Layer):
    """Add receiver noise to k-space, during training only.

    The noise n in `k + n` is complex, Gaussian, white, and independent from
    coil to coil (Macovski, "Noise in MRI", 1996). The real and the imaginary
    part of each of its samples have the variance σ². The signal-to-noise
    ratio is defined for each example, over the N entries of all its coils that
    are not zero throughout:

        snr = 10 log10( (1/N Σ |k|²) / 2σ² )    dB

    The transform is orthonormal, so the same ratio holds in image space, where
    it includes the background. σ follows from the power of each example, while
    that of a scanner is the same in all slices of a scan: weak slices get too
    little noise here. Coils of zeros, such as those that
    `loupe_tf.datasets.coil_pipeline` adds, stay zero and do not change the
    noise of the others. `loupe_tf.datasets.Augment` has the same `snr`,
    but adds its noise once, before training.

    Apply this layer to fully sampled k-space. `UnderSample` follows, and sets
    the samples that are not acquired to exactly 0. Samples of curves come with
    the images of the coils, whose power is that of their k-space: the noise is
    then the same as of a Cartesian scan.

    Args:
        snr: Float, in dB.
        seed: Integer or `None`. The state of the generator is saved with the
            layer, and replicas of `tf.distribute` draw different numbers.

    Input shape:
        `(batch, H, W, 2)` or `(batch, coils, H, W, 2)`; or a pair
        `[samples, images]`, `(batch, coils, shots, samples, 2)` and
        `(batch, coils, H, W, 2)`.

    Output shape:
        That of k-space or samples, float32.
    """

    def __init__(self, snr, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.snr = check_number("snr", snr)
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def call(self, inputs, training=None):
        pair = inputs if isinstance(inputs, list | tuple) else [inputs] * 2
        samples, kspace = pair
        self.check_floating("inputs", samples)
        if not training:
            return samples
        # Real and imaginary parts are separate entries here, so the mean of
        # their squares is |k|² / 2, just as σ² is half the power of the noise.
        axes = tuple(range(1, len(kspace.shape)))
        power = ops.mean(ops.square(kspace), axis=axes, keepdims=True)
        if len(axes) > 3:
            present = ops.any(kspace != 0, axis=axes[1:], keepdims=True)
            present = ops.cast(present, "float32")
            share = ops.mean(present, axis=1, keepdims=True)
            power = power * present / ops.where(share > 0, share, 1.0)
        sigma = ops.sqrt(power) * 10 ** (-self.snr / 20)
        noise = keras.random.normal(
            ops.shape(samples), dtype="float32", seed=self.seed_generator
        )
        return samples + sigma * noise

    def compute_output_shape(self, input_shape):
        pair = isinstance(input_shape[0], list | tuple)
        return input_shape[0] if pair else input_shape

    def get_config(self):
        return {**super().get_config(), "snr": self.snr, "seed": self.seed}
