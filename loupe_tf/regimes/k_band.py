import keras
import numpy as np
from keras import ops

from loupe_tf.checks import invalid
from loupe_tf.regimes.within import Within


@keras.saving.register_keras_serializable(package="loupe_tf")
class KBand(Within):
    """Learn from scans that have acquired a band of k-space each.

    A band through the centre, at an angle of its own for each scan, is
    acquired in a fraction of the time, and has the full resolution in one
    direction. All bands together cover k-space. With B the band of a scan, M
    the mask that the reconstructor is trained for and W the weights,

        x̂ = R(M ∘ B ∘ y, M ∘ B),    loss = mean W ∘ B ∘ |F S x̂ - y|

    This is K-band (Wang et al., "K-band: self-supervised MRI reconstruction
    via stochastic gradient descent over k-space subsets", 2023).
    `W(k) = 1 / Pr(k ∈ B)` makes the mean of W·B over all bands 1 wherever a
    band goes (`masks.band_weights`). So for a given x̂ the mean of the loss over
    the bands, and of its gradient, is that of all of k-space: the loss of a
    supervised training. Two things are needed for this:

    - The angle of a scan must have nothing to do with what is scanned.
    - The loss must be a sum over samples of k-space, as both norms are. SSIM,
      or an absolute error in the image, depends on all samples at once; no
      weights make up for those that a scan lacks.

    What the reconstructor gets is M ∘ B in training and M at inference, which
    no weight changes.

    Args:
        model: A reconstructor, or a `Loupe` that simulates the measurement;
            see `Regime`.
        weights: Array `(H, W)`, W, non-negative, from `masks.band_weights` of
            the bands that scans are acquired in. Ones leave them out: the
            outer k-space then hardly counts.
        sampler: (Optional) a `loupe_tf.samplers.Sampler` for M, which is
            restricted to the band; `samplers.WithinBand` learns M, with the
            budget counted in the band. By default all of the band is taken.
        norm: `"absolute"`, the authors' loss, or `"squared"`.
        seed, **kwargs: As for `Regime`.

    Inputs:
        `[kspace, band]` or `[kspace, band, maps]` in training and validation:
        fully acquired bands, where `band` is the mask of each, `(batch, H, W,
        1)`. At inference the inputs of the reconstructor, from any mask.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    ```python
    bands = loupe_tf.masks.bands((320, 320), acceleration=4, angles=180)
    of_scans = np.random.default_rng(0).integers(180, size=len(kspace))
    mask = loupe_tf.masks.gaussian((320, 320), acceleration=4, calibration=8)
    regime = loupe_tf.regimes.KBand(
        reconstructor,
        loupe_tf.masks.band_weights(bands),
        loupe_tf.samplers.GivenMask(mask),
    )
    regime.compile(keras.optimizers.Adam(1e-4))
    regime.fit([kspace, bands[of_scans][..., None], maps], epochs=10)
    ```
    """

    def __init__(
        self,
        model,
        weights,
        sampler=None,
        norm="absolute",
        seed=None,
        **kwargs,
    ):
        array = np.asarray(weights, "float32")
        if array.ndim != 2 or not (np.isfinite(array) & (array >= 0)).all():
            raise invalid(
                "weights",
                "an array (H, W) of finite numbers that are not negative",
                found=f"shape {array.shape}",
            )
        super().__init__(model, sampler, array.shape, norm, seed, **kwargs)
        self.band_weights = array

    def learn(self, measured, training):
        kspace, band, *_ = measured
        band = ops.cast(band != 0, "float32")
        image, predicted = self.reconstruct(measured, band, training)
        weight = band * self.band_weights[None, ..., None]
        return {
            "image": image,
            "loss": self.error(kspace, predicted, weight),
        }

    def get_config(self):
        return {**super().get_config(), "weights": self.band_weights.tolist()}
