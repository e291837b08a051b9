import keras
from keras import ops

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.masks import calibration_region
from loupe_tf.masks.arguments import standardize_probability
from loupe_tf.masks.budget import standardize_calibration
from loupe_tf.regimes.held_out_loss import NORMS, held_out_loss
from loupe_tf.regimes.regime import Regime, select
from loupe_tf.regimes.split import KINDS, LINES, split

SMALLEST = 1e-2
"""The smallest probability that a weight is divided by."""


@keras.saving.register_keras_serializable(package="loupe_tf")
class HoldOut(Regime):
    """Learn from measured samples that the reconstructor did not see.

    The acquired samples Ω are split into Θ, which the reconstructor gets, and
    Λ, which its image must predict: `x̂ = R(y_Θ, Θ)`, compared with `y_Λ` in
    `(F S x̂)_Λ`; see `split` and `held_out_loss`. This is SSDU (Yaman et al.,
    "Self-supervised learning of physics-guided reconstruction neural networks
    without fully sampled reference data", MRM 2020). A new split is drawn for
    each example and step; several a step are its multi-mask form (Yaman et
    al., NMR in Biomedicine 2022).

    Λ covers what was acquired, not what is missing. If the masks of the scans
    differ, this evens out. If all scans have one mask, such as a learned one,
    most of k-space never has a loss, and the weak frequencies in Λ hardly
    count. With the probabilities P that the mask was drawn from, a squared
    residual at k is divided by the probability that k was held out, given
    that it was not seen (the weight of Millard and Chiew, "A theoretical
    framework for self-supervised MR image reconstruction using sub-sampling
    via variable density Noisier2Noise", IEEE TCI 2023):

        w(k) = 1 / q(k),    q = P (1 - P̃) / (1 - P̃ P)

    with P̃ the probability that an acquired k is seen. They write it as a
    factor `(1 - K)^-1/2` of the residual. With `norm="squared"`, and masks and
    splits drawn independently at each k, the loss is then an unbiased
    estimate of the squared error on all that Θ lacks, besides the noise's
    constant.

    SSDU is the subject of US patent application 17/075,411, and its public code
    may be used in research and education only. This class was written from the
    equations of the papers. Whether you may use the method is for you to check.

    Args:
        model: A reconstructor or a `Loupe`; see `Regime`.
        ratio: Float in (0, 1), the share of samples to hold out; see `split`.
        keep: The block around DC that is always seen; see `split`. Set it to
            the calibration region if maps are estimated from it.
        kind: `"uniform"` or `"gaussian"`; see `split`.
        lines: `None`, `"columns"` or `"rows"`; see `split`.
        splits: Integer ≥ 1, the splits of each example in a step. The step
            takes as many times longer.
        probability: (Optional) array P for the weighted form, `(H, W)`,
            `(1, W)` or `(H, 1)`, with DC at `(H // 2, W // 2)`, such as
            `masks.probability_from_model(model)` or the mean of many drawn
            masks. It needs `kind="uniform"`. q is at least 0.01, so what is
            acquired more rarely is weighted too little.
        norm: `"mixed"` or `"squared"`; see `held_out_loss`.
        seed, **kwargs: As for `Regime`.

    Inputs:
        As for `Regime`.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    ```python
    resnet = loupe_tf.models.resnet((None, None, 2))
    reconstructor = loupe_tf.models.MoDL(resnet, residual=False)
    regime = loupe_tf.regimes.HoldOut(reconstructor, kind="gaussian", seed=0)
    regime.compile(keras.optimizers.Adam(5e-4))
    regime.fit([kspace, mask, maps], batch_size=1, epochs=100)
    ```
    """

    def __init__(
        self,
        model,
        ratio=0.4,
        keep=4,
        kind="uniform",
        lines=None,
        splits=1,
        probability=None,
        norm="mixed",
        seed=None,
        **kwargs,
    ):
        super().__init__(model, seed, **kwargs)
        self.ratio = check_number("ratio", ratio, above=0, below=1)
        self.keep = standardize_calibration(keep, "keep")
        self.kind = check_choice("kind", kind, KINDS)
        self.lines = check_choice("lines", lines, LINES)
        self.splits = check_integer("splits", splits, at_least=1)
        self.norm = check_choice("norm", norm, NORMS)
        if probability is not None:
            probability = standardize_probability("probability", probability)
            if kind != "uniform":
                raise invalid("kind", "'uniform' with a `probability`", kind)
        self.probability = probability

    def learn(self, measured, training):
        if training and self.splits > 1:
            measured = [
                ops.tile(x, (self.splits, *[1] * (len(x.shape) - 1)))
                for x in measured
            ]
        kspace, mask, *maps = measured
        seen, held = self.split(mask, training)
        image, predicted = self.rebuild(kspace, seen, maps, training)
        loss = held_out_loss(
            kspace, predicted, held, self.weight(seen, held), self.norm
        )
        none = ops.logical_not(ops.any(held > 0, axis=(1, 2, 3)))
        count = image.shape[0] or ops.shape(image)[0]
        first = count // (self.splits if training else 1)
        return {"image": image[:first], "loss": loss, "refused": none[:first]}

    def split(self, mask, training):
        """Return what is seen and what is held out; fixed for validation."""
        seed = self.seed_generator if training else (self.seed or 0)
        return split(mask, self.ratio, self.keep, self.kind, self.lines, seed)

    def rebuild(self, kspace, seen, maps, training):
        """Return the image from what is seen, and the k-space of it."""
        image = self.reconstructor(
            [select(kspace, seen), seen, *maps], training=training
        )
        return image, self.predict_kspace(image, maps)

    def weight(self, seen, held):
        """Return the weights w of held-out samples, or `None`."""
        if self.probability is None:
            return None
        # All samples that could have been held out are so with one chance.
        out = ops.sum(held, axis=(1, 2, 3), keepdims=True)
        free = ops.sum(self._outside(seen), axis=(1, 2, 3), keepdims=True)
        hidden = out / ops.maximum(out + free, 1.0)
        probability = ops.convert_to_tensor(self.probability[None, ..., None])
        unseen = 1.0 - (1.0 - hidden) * probability
        chance = probability * hidden / ops.maximum(unseen, 1e-6)
        return 1.0 / ops.maximum(chance, SMALLEST)

    def _outside(self, seen):
        """Return what is seen outside the kept block."""
        shape = {"columns": (1, seen.shape[2]), "rows": (seen.shape[1], 1)}
        size = shape.get(self.lines, tuple(seen.shape)[1:3])
        return ops.where(self._kept(size)[None, ..., None], 0.0, seen)

    def _kept(self, size):
        return calibration_region(size, self.keep, "keep")

    def get_config(self):
        probability = self.probability
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "keep": self.keep,
            "kind": self.kind,
            "lines": self.lines,
            "splits": self.splits,
            "probability": None
            if probability is None
            else probability.tolist(),
            "norm": self.norm,
        }
