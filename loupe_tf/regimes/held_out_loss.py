from keras import ops

from loupe_tf.metrics.images import modulus
from loupe_tf.operators.cartesian import fit_mask
from loupe_tf.regimes.regime import select

NORMS = ("mixed", "squared")


def held_out_loss(kspace, predicted, held, weight=None, norm="mixed"):
    """Compare predicted k-space with held-out samples, for each example.

    With u the held-out samples, r the error of their prediction, and w the
    weights:

    - `"mixed"`: `½ (Σ w|r|² / Σ w|u|²)^½ + ½ Σ w|r| / Σ w|u|`, the loss of SSDU
      (Yaman et al., MRM 2020) with a half for each term.
    - `"squared"`: `Σ w|r|² / ‖y‖²` with y all samples of `kspace`.

    The scanner's unit does not matter. An example without held-out samples, or
    whose samples are all zero, has the loss 0, and its gradient is 0.

    Args:
        kspace: Tensor `(batch, coils, ..., H, W, 2)`, the measured samples.
        predicted: Tensor of the same shape.
        held: Tensor `(batch, H or 1, W or 1, 1)`, not 0 where held out.
        weight: (Optional) tensor of the shape of `held`, w.
        norm: `"mixed"` or `"squared"`.

    Returns:
        Tensor `(batch,)`.
    """
    true, error = (
        select(kspace, held),
        select(ops.subtract(predicted, kspace), held),
    )
    if weight is None:
        weight = 1.0
    else:
        weight = fit_mask(weight, kspace)

    def total(x):
        return ops.sum(x, axis=tuple(range(1, len(kspace.shape))))

    def squares(x):
        return total(weight * ops.square(x))

    if norm == "squared":
        return divide(squares(error), total(ops.square(kspace)))
    lengths = divide(root(squares(error)), root(squares(true)))
    sums = divide(total(weight * modulus(error)), total(weight * modulus(true)))
    return 0.5 * lengths + 0.5 * sums


def root(x):
    """Return the square root; its gradient at 0 is 0."""
    positive = x > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, 1.0)), 0.0)


def divide(x, y):
    """Divide; where y is 0, the result is 0, and so are the gradients."""
    return ops.where(y > 0, x, 0.0) / ops.where(y > 0, y, 1.0)
