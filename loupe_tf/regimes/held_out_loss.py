from keras import ops

from loupe_tf import fourier
from loupe_tf.operators.cartesian import fit_mask

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
    held = ops.squeeze(fit_mask(held, kspace), -1) > 0
    true = _power(kspace, held)
    error = _power(ops.subtract(predicted, kspace), held)
    if weight is not None:
        weight = ops.squeeze(fit_mask(weight, kspace), -1)

    def total(x):
        if weight is not None:
            x = weight * x
        return ops.sum(x, axis=tuple(range(1, len(x.shape))))

    if norm == "squared":
        whole = ops.sum(ops.square(kspace), tuple(range(1, len(kspace.shape))))
        return divide(total(error), whole)
    lengths = divide(root(total(error)), root(total(true)))
    sums = divide(total(root(error)), total(root(true)))
    return 0.5 * lengths + 0.5 * sums


def _power(kspace, held):
    """Return the squared modulus of held-out samples, without the last axis.

    They are selected first: what is not held out may be infinite.
    """
    real, imag = (ops.where(held, x, 0.0) for x in fourier.split(kspace))
    return ops.square(real) + ops.square(imag)


def root(x):
    """Return the square root; its gradient at 0 is 0."""
    positive = x > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, 1.0)), 0.0)


def divide(x, y):
    """Divide; where y is 0, the result is 0, and so are the gradients."""
    return ops.where(y > 0, x, 0.0) / ops.where(y > 0, y, 1.0)
