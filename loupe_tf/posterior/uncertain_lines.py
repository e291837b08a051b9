import numpy as np

from loupe_tf import numpy_fourier
from loupe_tf.checks import check_choice, check_integer, invalid
from loupe_tf.masks import SamplingMask


def uncertain_lines(samples, mask, count, lines="columns"):
    """Add the lines of k-space about which the posterior knows least.

    The uncertainty of a line is the variance of its k-space over the samples,
    summed along the line and over the images. By Parseval's theorem, this is
    the mean squared error that measuring the line without noise takes away,
    if lines do not tell about each other. With `count=1` and new samples after
    each measurement, the choice is greedy and knows what they tell; with more,
    it takes a batch at once.

    Args:
        samples: `PosteriorSamples`, or an array `(n, batch, H, W, 1 or 2)`. All
            images of a batch get one mask; pass one image for a mask of its
            own.
        mask: `SamplingMask` or boolean array of lines, `(1, W)` or `(H, 1)`, or
            `(H, W)`, the lines that are acquired.
        count: Integer ≥ 1, lines to add.
        lines: `"columns"` or `"rows"`.

    Returns:
        `SamplingMask` of shape `(1, W)`, or `(H, 1)` for rows.

    Raises:
        ValueError: If an argument is invalid, or fewer lines are left.

    Example:

    >>> draws = np.random.default_rng(0).normal(size=(8, 1, 32, 32, 2))
    >>> mask = loupe_tf.masks.equispaced_lines((1, 32), 4, calibration=4)
    >>> more = loupe_tf.posterior.uncertain_lines(draws, mask, count=4)
    >>> more.acquired - mask.acquired
    4
    """
    check_choice("lines", lines, ("columns", "rows"))
    check_integer("count", count, at_least=1)
    draws = np.asarray(getattr(samples, "samples", samples))
    if draws.ndim != 5 or len(draws) < 2:
        raise invalid(
            "samples",
            "two samples or more, (n, batch, H, W, 1 or 2)",
            found=f"shape={draws.shape}",
        )
    size = draws.shape[2:4]
    along = 0 if lines == "columns" else 1
    shape = (1, size[1]) if lines == "columns" else (size[0], 1)
    acquired = np.asarray(mask, bool)
    if acquired.shape not in (shape, size):
        raise invalid("mask", f"shape {shape} or {size}", acquired.shape)
    acquired = acquired.all(axis=along, keepdims=True)
    left = int(np.sum(~acquired))
    if count > left:
        raise invalid(
            "count", f"at most {left}, the lines that are left", count
        )
    imaginary = draws[..., 1] if draws.shape[-1] == 2 else 0
    kspace = numpy_fourier.fft2c(draws[..., 0] + 1j * imaginary)
    variance = np.var(kspace, axis=0).sum(0).sum(along, keepdims=True)
    variance = np.where(acquired, -1, variance)
    chosen = np.argsort(-variance, axis=None, kind="stable")[:count]
    array = acquired.copy()
    array.flat[chosen] = True
    return SamplingMask(
        array, provenance={"pattern": "uncertain_lines", "added": count}
    )
