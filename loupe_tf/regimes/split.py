import keras
import numpy as np
from keras import ops

from loupe_tf.checks import check_choice, check_number, invalid
from loupe_tf.masks import calibration_region

KINDS = ("uniform", "gaussian")
LINES = (None, "columns", "rows")


def split(mask, ratio=0.4, keep=4, kind="uniform", lines=None, seed=None):
    """Split the acquired samples in two: those to see, those to hold out.

    The two are disjoint, and together they are the mask: Ω = Θ ∪ Λ (Yaman et
    al., "Self-supervised learning of physics-guided reconstruction neural
    networks without fully sampled reference data", MRM 2020). Each example has
    its own split. With n acquired samples outside the kept block, exactly
    `⌊ratio · n + 1/2⌋` are held out, and at most all but one of the mask.

    - `"uniform"`: each subset of this size is as likely as any other.
    - `"gaussian"`: samples are drawn one after the other, each with a
      probability proportional to a Gaussian around DC, with standard deviation
      `(N - 1) / 4` along an axis of N. Held-out samples are then dense where
      k-space is strong.

    Both rank the samples by a random key, so the split is drawn within a
    compiled step and its cost is that of a sort.

    Args:
        mask: Tensor or array `(batch, H or 1, W or 1, 1)`. Samples that are
            not 0 were acquired.
        ratio: Float in (0, 1), the share of samples to hold out.
        keep: Size of the block around DC that is always seen, as the
            `calibration` of a mask: `None`, an integer or `(h, w)`.
        kind: `"uniform"` or `"gaussian"`.
        lines: `"columns"` or `"rows"` if a mask `(batch, H, W, 1)` consists of
            whole columns or rows; they are then held out as a whole. Masks
            whose H or W is 1 consist of lines anyway. A line that is split
            would show its missing samples by its others.
        seed: Integer, `keras.random.SeedGenerator` or `None`.

    Returns:
        A pair of float32 tensors with the shape of the mask, 0 or 1: what is
        seen (Θ) and what is held out (Λ).

    Raises:
        ValueError: If an argument is invalid. If `mask` is a NumPy array, also
            if the kept block was not acquired, or if nothing is held out in an
            example: a compiled step holds out nothing there.

    Example:

    >>> mask = loupe_tf.masks.gaussian((64, 64), 4, calibration=4).array
    >>> seen, held = loupe_tf.regimes.split(mask[None, ..., None], seed=0)
    >>> int(np.sum(mask)), int(np.sum(seen)), int(np.sum(held))
    (1024, 621, 403)
    """
    check_number("ratio", ratio, above=0, below=1)
    check_choice("kind", kind, KINDS)
    check_choice("lines", lines, LINES)
    shape = tuple(mask.shape)
    if len(shape) != 4 or shape[-1] != 1:
        raise invalid(
            "mask", "shape (batch, H or 1, W or 1, 1)", found=f"shape={shape}"
        )
    if isinstance(mask, np.ndarray):
        _check_array(mask, ratio, keep, lines)
    acquired = ops.cast(ops.convert_to_tensor(mask), "float32") != 0
    reduced = _reduce(acquired, lines, ops.any)
    size = tuple(reduced.shape)[1:3]
    region = calibration_region(size, keep, "keep")[None, ..., None]
    eligible = ops.logical_and(reduced, np.logical_not(region))
    key = _key(ops.shape(reduced), size, kind, seed)
    flat = ops.where(eligible, key, float("inf"))
    flat = ops.reshape(flat, (-1, size[0] * size[1]))
    number = _number(reduced, eligible, ratio, ops)
    held = ops.reshape(_smallest(flat, number[:, :, 0, 0]), ops.shape(reduced))
    held = ops.logical_and(eligible, held)
    held = ops.logical_and(acquired, held)
    seen = ops.logical_and(acquired, ops.logical_not(held))
    return ops.cast(seen, "float32"), ops.cast(held, "float32")


def _smallest(x, number):
    """Find the smallest entries of each row, `(batch, n)`.

    A threshold would find several entries at once where keys are equal.
    """
    order = ops.argsort(x, axis=-1)
    row = ops.zeros_like(order) + ops.arange(ops.shape(x)[0])[:, None]
    index = ops.reshape(ops.stack([row, order], axis=-1), (-1, 2))
    taken = ops.arange(x.shape[-1], dtype="float32") < number
    taken = ops.reshape(ops.cast(taken, "float32"), (-1,))
    return ops.scatter(index, taken, ops.shape(x)) > 0


def _number(acquired, eligible, ratio, numpy):
    """Return how many entries are held out, `(batch, 1, 1, 1)`."""
    count, whole = (
        numpy.sum(_float(x, numpy), axis=(1, 2, 3), keepdims=True)
        for x in (eligible, acquired)
    )
    number = numpy.floor(ratio * count + 0.5)
    return numpy.maximum(numpy.minimum(number, whole - 1.0), 0.0)


def _float(x, numpy):
    return x.astype("float32") if numpy is np else ops.cast(x, "float32")


def _key(shape, size, kind, seed):
    """Return random keys; the smallest are held out."""
    uniform = keras.random.uniform(shape, dtype="float32", seed=seed)
    if kind == "uniform":
        return uniform
    # Among exponential variables with rates w, each is the smallest with a
    # probability proportional to its w. The rates span e⁴ at most.
    rows, columns = (
        ((np.arange(n) - n // 2) / (max(n - 1, 1) / 4)) ** 2 / 2 for n in size
    )
    rate = np.exp(-(rows[:, None] + columns)).astype("float32")
    return -ops.log(1.0 - uniform) / rate[None, ..., None]


def _reduce(x, lines, function):
    """Reduce a mask of points that consists of lines to one entry a line."""
    axis = {"columns": 1, "rows": 2, None: None}[lines]
    return x if axis is None else function(x, axis=axis, keepdims=True)


def _check_array(mask, ratio, keep, lines):
    acquired = _reduce(mask != 0, lines, np.any)
    size = acquired.shape[1:3]
    region = calibration_region(size, keep, "keep")[None, ..., None]
    missing = (region & ~acquired).sum(axis=(1, 2, 3))
    if missing.any():
        raise invalid(
            "keep",
            "a block that the mask acquires",
            found=f"keep={keep!r}, of which {missing.max()} entries are not "
            f"acquired in example {missing.argmax()}",
        )
    eligible = acquired & ~region
    number = _number(acquired, eligible, ratio, np)[:, 0, 0, 0]
    if not number.all():
        example = int(number.argmin())
        raise invalid(
            "ratio",
            "one that holds out at least one sample or line",
            found=f"ratio={ratio!r} with keep={keep!r}, which leave "
            f"{eligible[example].sum()} to choose from in example {example}",
        )
