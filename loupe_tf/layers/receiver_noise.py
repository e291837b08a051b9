import keras
from keras import ops

from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.layers.seed_generator import ReplicaSeedGenerator, SavesSeedState
from loupe_tf.simulation import check_noise


@keras.saving.register_keras_serializable(package="loupe_tf")
class ReceiverNoise(SavesSeedState, Float32Layer):
    """Add receiver noise to k-space, during training only.

    The noise n in `k + n` is complex, Gaussian, white, and independent from
    coil to coil (Macovski, "Noise in MRI", 1996). The real and the imaginary
    part of each of its samples have the variance σ², which follows from one of
    two ratios.

    The peak signal-to-noise ratio gives all examples the same σ, as a scanner
    gives all slices of a scan the same σ. It is a ratio of signals, not in dB:

        peak_snr = 1 / σ

    Images are divided by the maximum of their volume, so 1 is the brightest
    pixel of the volume. The Fourier transform is orthonormal, and maps have
    `Σᵢ |Sᵢ|² = 1`, so σ is also the standard deviation of the real and of the
    imaginary part of the fully sampled, combined image.

    The other ratio is defined for each example, over the N entries of all its
    coils that are not zero throughout:

        snr = 10 log10( (1/N Σ |k|²) / 2σ² )    dB

    The same ratio holds in image space, where it includes the background.
    Since σ follows from the power of each example here, weak slices get less
    noise than in a scan.

    Coils of zeros, such as those that `loupe_tf.datasets.coil_pipeline` adds,
    stay zero and do not change the noise of the others. If all coils are zero,
    all of them get the noise of `peak_snr`. `loupe_tf.datasets.Augment` has the
    same `snr`, and `noise` for σ, but adds its noise once, before training.

    Apply this layer to fully sampled k-space. `UnderSample` follows, and sets
    the samples that are not acquired to exactly 0. Samples of curves come with
    the images of the coils, whose power is that of their k-space: the noise is
    then the same as of a Cartesian scan.

    Args:
        snr: Float, in dB; or `None` with `peak_snr`.
        seed: Integer or `None`. The state of the generator is saved with the
            layer, and replicas of `tf.distribute` draw different numbers.
        peak_snr: Positive float, in place of `snr`.

    Input shape:
        `(batch, H, W, 2)` or `(batch, coils, H, W, 2)`; or a pair
        `[samples, images]`, `(batch, coils, shots, samples, 2)` and
        `(batch, coils, H, W, 2)`.

    Output shape:
        That of k-space or samples, float32.

    Raises:
        ValueError: Unless exactly one of the ratios is given, and is a number.
    """

    def __init__(self, snr=None, seed=None, peak_snr=None, **kwargs):
        super().__init__(**kwargs)
        check_noise(snr, peak_snr)
        self.snr = snr
        self.peak_snr = peak_snr
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def call(self, inputs, training=None):
        pair = inputs if isinstance(inputs, list | tuple) else [inputs] * 2
        samples, kspace = pair
        self.check_floating("inputs", samples)
        if not training:
            return samples
        noise = keras.random.normal(
            ops.shape(samples), dtype="float32", seed=self.seed_generator
        )
        return samples + self._sigma(kspace) * noise

    def _sigma(self, kspace):
        """σ of each example and coil, with axes of 1 for what shares it."""
        axes = tuple(range(1, len(kspace.shape)))
        present = share = 1.0
        if len(axes) > 3:
            present = ops.any(kspace != 0, axis=axes[1:], keepdims=True)
            present = ops.cast(present, "float32")
            share = ops.mean(present, axis=1, keepdims=True)
            present = ops.where(share > 0, present, 1.0)
            share = ops.where(share > 0, share, 1.0)
        if self.snr is None:
            return present / self.peak_snr
        # Real and imaginary parts are separate entries here, so the mean of
        # their squares is |k|² / 2, just as σ² is half the power of the noise.
        power = ops.mean(ops.square(kspace), axis=axes, keepdims=True)
        return ops.sqrt(power * present / share) * 10 ** (-self.snr / 20)

    def compute_output_shape(self, input_shape):
        pair = isinstance(input_shape[0], list | tuple)
        return input_shape[0] if pair else input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "snr": self.snr,
            "seed": self.seed,
            "peak_snr": self.peak_snr,
        }
