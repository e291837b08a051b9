"""Intervals that need no posterior, only held-out images."""

import numpy as np

from loupe_tf.checks import check_number, invalid
from loupe_tf.posterior.calibration import standardize


def conformal_factor(samples, truth, level=0.9):
    """Compute how many deviations hold the truth, by split conformal methods.

    On validation images, with m the mean of the samples, d their standard
    deviation and N pixels, this is the ⌈(N + 1) · level⌉-th smallest of
    `|x - m| / d`. The discs of the radius `factor · d` around m then hold a
    true pixel of a new image with at least about that probability, whatever
    the distribution, if new and validation images are exchangeable
    (Papadopoulos et al., "Inductive confidence machines for regression", 2002).
    The promise is for pixels on average: not for each region or subspace, nor
    for images of another kind.

    Args:
        samples, truth: As for `loupe_tf.posterior.calibration_report`.
        level: Number in (0, 1).

    Returns:
        Float. Infinite if there are too few pixels for the level.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> draws = rng.normal(size=(21, 4, 32, 32, 2))
    >>> factor = loupe_tf.posterior.conformal_factor(draws[1:], draws[0], 0.9)
    >>> round(loupe_tf.posterior.share_within(draws[1:], draws[0], factor), 2)
    0.9
    """
    level = check_number("level", level, above=0, below=1)
    ratio = np.sort(_ratio(samples, truth))
    place = int(np.ceil((len(ratio) + 1) * level))
    return float(ratio[place - 1]) if place <= len(ratio) else float("inf")


def share_within(samples, truth, factor):
    """Compute the share of true pixels within some deviations of the mean.

    Args:
        samples, truth: As for `loupe_tf.posterior.calibration_report`.
        factor: Number, the deviations, such as from `conformal_factor`.

    Returns:
        Float.
    """
    return float(np.mean(_ratio(samples, truth) <= factor))


def _ratio(samples, truth):
    draws, true = standardize(samples, truth)
    error = np.sqrt(np.sum((true - draws.mean(0)) ** 2, axis=-1))
    deviation = np.sqrt(draws.var(0, ddof=1).sum(-1))
    if not (deviation > 0).all():
        raise invalid(
            "samples",
            "samples that differ in each pixel",
            found=f"{int(np.sum(deviation == 0))} pixels without a deviation",
        )
    return (error / deviation).ravel()
