import keras
from keras import ops

from loupe_tf.checks import check_choice, invalid
from loupe_tf.layers import UnderSample
from loupe_tf.metrics.images import modulus
from loupe_tf.operators.cartesian import fit_mask
from loupe_tf.regimes.regime import Regime
from loupe_tf.samplers import Sampler

NORMS = ("absolute", "squared")


class Within(Regime):
    """Base of regimes with a sampler that draws from what a scan acquired.

    The sampler takes some of the samples that each scan has, and the
    reconstructor gets those alone. The scan has more of them, which the image
    is compared with, in k-space:

        Σ w |F S x̂ - y|    or    Σ w |F S x̂ - y|²

    divided by the number of all samples of k-space. A sum over samples is
    needed: what a scan lacks is made up for by the weights w of others.

    Args:
        model: As for `Regime`.
        sampler: A `loupe_tf.samplers.Sampler`. If it has an input `within`,
            it gets the mask of the scan; the mask of any other sampler is
            restricted to the scan. `None` takes all.
        size: Pair `(H, W)`, the size of k-space.
        norm: `"absolute"` or `"squared"`.
        seed, **kwargs: As for `Regime`.

    Attributes:
        sampling: Functional `keras.Model` from the k-space, and `within`, to
            the mask; or `None`. `loupe_tf.masks.from_model(regime.sampling)`
            is the mask that a scanner should acquire.
    """

    def __init__(self, model, sampler, size, norm, seed=None, **kwargs):
        super().__init__(model, seed, **kwargs)
        self.norm = check_choice("norm", norm, NORMS)
        if sampler is not None and not isinstance(sampler, Sampler):
            raise invalid(
                "sampler", "a `loupe_tf.samplers.Sampler`, or None", sampler
            )
        self.sampler = sampler
        self.sampling = None
        self.under_sample = UnderSample()
        if sampler is not None:
            kspace = keras.Input((None, *size, 2), name="kspace")
            inputs = sampler.inputs(tuple(size))
            if [each.name for each in inputs] not in ([], ["within"]):
                raise invalid(
                    "sampler",
                    "one without inputs, or with the input `within`",
                    found=f"the inputs {[each.name for each in inputs]}",
                )
            self.sampling = keras.Model(
                [kspace, *inputs], sampler(kspace, *inputs), name="sampling"
            )

    def reconstruct(self, measured, within, training):
        """Draw from the samples of each scan, and rebuild the images.

        Args:
            measured: As for `Regime.learn`.
            within: Tensor `(batch, H or 1, W or 1, 1)`, 1 for the samples
                that may be drawn.
            training: Boolean.

        Returns:
            A pair: images and their k-space `F S x̂`.
        """
        kspace, _, *maps = measured
        kspace, within = map(ops.convert_to_tensor, (kspace, within))
        if self.sampling is not None:
            inputs = [kspace, within][: len(self.sampling.inputs)]
            mask = self.sampling(inputs, training=training)
            within = within * mask
        sampled = self.under_sample([kspace, within], training=training)
        image = self.reconstructor([sampled, within, *maps], training=training)
        return image, self.predict_kspace(image, maps)

    def error(self, kspace, predicted, weight):
        """Return the weighted mean error of each example, `(batch,)`.

        Args:
            kspace, predicted: Tensors `(batch, coils, ..., H, W, 2)`.
            weight: Tensor `(1 or batch, H or 1, W or 1, 1)`, 0 where there
                are no data.
        """
        error = ops.subtract(predicted, kspace)
        if self.norm == "squared":
            error = ops.sum(ops.square(error), axis=-1, keepdims=True)
        else:
            error = modulus(error)
        error = ops.multiply(fit_mask(weight, kspace), error)
        return ops.mean(error, axis=tuple(range(1, len(error.shape))))

    def get_config(self):
        return {
            **super().get_config(),
            "sampler": self.sampler
            and keras.saving.serialize_keras_object(self.sampler),
            "norm": self.norm,
        }

    @classmethod
    def from_config(cls, config):
        sampler = config["sampler"]
        if sampler is not None:
            sampler = keras.saving.deserialize_keras_object(sampler)
        return super().from_config({**config, "sampler": sampler})
