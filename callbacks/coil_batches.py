import numpy as np

from loupe_tf.callbacks.shuffled_batches import ShuffledBatches
from loupe_tf.simulation import (
    add_noise,
    check_noise,
    simulate_kspace,
    turned_maps,
)


class CoilBatches(ShuffledBatches):
    """Batches of multi-coil k-space, simulated from single-coil images.

    For models with `coils`: a batch is `((kspace, maps), images)`, as
    `simulate_kspace` makes it. Every epoch gives each example a new angle of
    the coil array, a new phase and, with `turns`, a new orientation: one of
    eight for a square image, one of four for a rectangular one.

    Angles, phases and orientations depend only on the seed and the epoch. The
    order is that of `ShuffledBatches`. The callback `callback()` passes on the
    epoch; `fit_two_rounds` adds it automatically.

    Args:
        images: Array of images `(examples, H, W, 1)`, or of complex ones
            `(examples, H, W, 2)`, whose magnitudes are then the targets.
        coils: Integer, the number of coils around the image.
        batch_size: Integer. The last batch may be smaller.
        seed: Integer, at least 0, or a sequence of such integers, for order,
            angles, phases and orientations.
        phase: Float, the standard deviation in radians of the phase that the
            images get; 0 for complex images that keep their own.
        turns: Boolean. Use `False` for validation.
        snr: (Optional) float, the signal-to-noise ratio in dB of receiver
            noise in k-space, for validation and tests: in training,
            `loupe_model(..., snr=30)` draws it anew for each step.
        drop_remainder: As for `ShuffledBatches`.
        peak_snr: (Optional) positive float in place of `snr`, see `add_noise`.

    Example:

    ```python
    modl = loupe_tf.models.MoDL.with_unet((96, 96))
    model = loupe_tf.models.loupe_model(
        (96, 96, 1), 4, coils=8, snr=30, reconstructor=modl
    )
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    batches = CoilBatches(images, coils=8)
    model.fit(batches, epochs=50, callbacks=[batches.callback()], shuffle=False)
    ```
    """

    def __init__(
        self,
        images,
        coils,
        batch_size=16,
        seed=0,
        phase=1.0,
        turns=True,
        snr=None,
        drop_remainder=False,
        peak_snr=None,
    ):
        self._maps = turned_maps(np.shape(images)[1:3], coils)
        self.phase = phase
        self.turns = turns
        if snr is not None or peak_snr is not None:
            check_noise(snr, peak_snr)
        self.snr = snr
        self.peak_snr = peak_snr
        super().__init__(images, images, batch_size, seed, drop_remainder)

    def __getitem__(self, index):
        images = self.x[self.rows(index)]
        seed = [*np.ravel(self.seed), self.epoch, index]
        rng = np.random.default_rng(seed)
        if self.turns:
            images = np.stack([turn(image, rng) for image in images])
        maps = self._maps[rng.integers(len(self._maps), size=len(images))]
        kspace, maps, _ = simulate_kspace(
            images, maps, self.phase, seed=rng.integers(2**32)
        )
        if self.snr is not None or self.peak_snr is not None:
            kspace = add_noise(
                kspace, self.snr, rng.integers(2**32), self.peak_snr
            )
        if images.shape[-1] == 2:
            images = np.linalg.norm(images, axis=-1, keepdims=True)
        return (kspace, maps), images


def turn(image, rng):
    """Flip and transpose an image at random; transpose only a square one.

    Args:
        image: Array `(H, W, C)`.
        rng: `numpy.random.Generator`.

    Returns:
        Array of the same shape.
    """
    down, right, across = rng.integers(2, size=3)
    image = image[:: 1 - 2 * down, :: 1 - 2 * right]
    is_square = image.shape[0] == image.shape[1]
    return image.swapaxes(0, 1) if across and is_square else image
