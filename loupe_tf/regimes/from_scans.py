import keras
import numpy as np
from keras import ops

from loupe_tf.checks import check_number, invalid
from loupe_tf.masks.budget import standardize_shape
from loupe_tf.regimes.within import Within
from loupe_tf.samplers import WithinScan


@keras.saving.register_keras_serializable(package="loupe_tf")
class FromScans(Within):
    """Learn a mask, and its reconstructor, from undersampled scans alone.

    Scans were acquired by random masks Ω, each entry k independently with the
    known probability P₀. In each step Ω is split at random, and independently
    of the mask M to be learned: a share h of its entries, Γ, is held out, and
    the rest, A, is offered. M is drawn inside A, relaxed, such that an entry
    is acquired with the learned probability P (`samplers.WithinScan`). Then

        x̂ = R(M ∘ y, M),    loss = mean of v |F S x̂ - y|²,
        v = 1 in A,    v = 1/q in Γ,    q = P₀ h / (1 - P₀ (1 - h))

    Given A, an entry that is not in A is in Γ with the probability q, whatever
    M is. So the mean of the loss over Γ is the error on all of k-space,

        E[loss | A, M] = mean |F S x̂ - y|²

    for each realization M, relaxed or binary, for any reconstructor, and for
    every loss that is a sum over samples. That is the loss of LOUPE on full
    scans. Neither q nor the law of A and Γ depends on P, so the
    derivative in the logits, through M alone, is unbiased too: it is that of
    the mean over A of the error on all of k-space. With full scans the relaxed
    mask is `σ(s (P - U))` instead of `A ∘ σ(s (P/C - U))`; the two are
    the same mask in the limit of large slopes s.

    It matters that Γ is drawn before M. If Γ were all of Ω that M leaves
    out, then `q = (P₀ - P) / (1 - P)`. The loss of a binary M would still be
    unbiased, but not that of a relaxed one: each entry of Γ then leaks into M
    with a small weight. And its gradient would need the derivative of q: if q
    is held constant, the gain of acquiring k itself is counted 1/q times.
    The guide has the derivation, and the tests check all of it.

    P₀ must be 1 in the calibration region of the sampler, which every scan thus
    acquires and which is never held out; `calibration=None` is for scans
    without such a region.

    The limits: P is at most `C = P₀ (1 - h)`, so scans must acquire much more
    than the mask to be learned. Where P₀ is 0 nothing is known. The
    variance grows with 1/q; q below `smallest` is replaced by it, so that what
    is rarely acquired counts too little. The log `clipped` is the share of the
    held-out samples that this concerns.

    Args:
        model: A reconstructor, or a `Loupe` that simulates the scans; see
            `Regime`.
        sampler: A `loupe_tf.samplers.WithinScan`, which has P₀ and h.
        weighted: Boolean. `False` has v = 1 in Γ too, which counts rarely
            acquired entries too little: to compare with.
        smallest: Float in (0, 1), the lowest q.
        norm: `"squared"` or `"absolute"`.
        size: Pair `(H, W)`, the size of k-space. Defaults to the shape of P₀;
            required for masks of lines.
        seed, **kwargs: As for `Regime`.

    Inputs:
        `[kspace, mask]` or `[kspace, mask, maps]`, with the mask Ω of each
        scan, of the shape of P₀.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    ```python
    centre = loupe_tf.masks.calibration_region((320, 320), 8)
    probability = np.where(centre, 1, 0.5)  # The scans' masks.
    sampler = loupe_tf.samplers.WithinScan(4, probability, calibration=8)
    regime = loupe_tf.regimes.FromScans(reconstructor, sampler, seed=0)
    regime.compile(keras.optimizers.Adam(1e-3))
    fourS = loupe_tf.callbacks.SelfShrinkingSigmoidSlope(monitor="loss")
    regime.fit([kspace, mask, maps], epochs=50, callbacks=[fourS])
    learned = loupe_tf.masks.from_model(regime.sampling)
    ```
    """

    monitors = ("clipped",)

    def __init__(
        self,
        model,
        sampler,
        weighted=True,
        smallest=0.02,
        norm="squared",
        size=None,
        seed=None,
        **kwargs,
    ):
        if not isinstance(sampler, WithinScan):
            raise invalid(
                "sampler", "a `loupe_tf.samplers.WithinScan`", sampler
            )
        if size is None:
            size = sampler.probability.shape
        if 1 in size:
            raise invalid("size", "(H, W) of k-space, for masks of lines", size)
        self.size = standardize_shape(tuple(size))
        super().__init__(model, sampler, self.size, norm, seed, **kwargs)
        self.weighted = bool(weighted)
        self.smallest = check_number("smallest", smallest, above=0, below=1)
        # The probability that an entry that is not offered is held out.
        probability = sampler.probability.astype("float64")
        out = probability - sampler.chance
        chance = out / np.maximum(1 - sampler.chance, 1e-9)
        chance = chance[None, ..., None]
        self._clipped = (chance < self.smallest).astype("float32")
        weight = 1 / np.maximum(chance, self.smallest)
        self._weight = weight.astype("float32") if self.weighted else 1.0

    def split(self, mask, training):
        """Return what is offered to the mask, and what is held out.

        Args:
            mask: Tensor `(batch, H or 1, W or 1, 1)`, Ω.
            training: Boolean. `False` has the same split each time.

        Returns:
            A pair of float32 tensors, A and Γ.
        """
        seed = self.seed_generator if training else (self.seed or 0)
        uniform = keras.random.uniform(
            ops.shape(mask), dtype="float32", seed=seed
        )
        hold_out = np.where(self.sampler.region, 0.0, self.sampler.hold_out)
        acquired = ops.cast(mask != 0, "float32")
        chance = ops.convert_to_tensor(hold_out[None, ..., None], "float32")
        is_out = uniform < chance
        held = ops.where(is_out, acquired, 0.0)
        return acquired - held, held

    def learn(self, measured, training):
        kspace, mask, *_ = measured
        offered, held = self.split(mask, training)
        image, predicted = self.reconstruct(measured, offered, training)
        count = ops.sum(held, axis=(1, 2, 3))
        clipped = ops.sum(held * self._clipped, axis=(1, 2, 3))
        return {
            "image": image,
            "loss": self.error(kspace, predicted, self.weigh(offered, held)),
            "clipped": clipped / ops.maximum(count, 1.0),
        }

    def weigh(self, offered, held):
        """Return the weights v of the errors of all samples."""
        return offered + held * self._weight

    def get_config(self):
        return {
            **super().get_config(),
            "weighted": self.weighted,
            "smallest": self.smallest,
            "size": list(self.size),
        }
