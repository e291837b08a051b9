"""Whether samples of a posterior are as uncertain as they are wrong."""

import numpy as np
from scipy import stats

from loupe_tf import numpy_fourier
from loupe_tf.checks import check_number, invalid

LEVELS = (0.5, 0.68, 0.9, 0.95)


def calibration_report(samples, truth, mask=None, levels=LEVELS):
    """Compare samples of the posterior with the true images.

    Judge held-out images of patients that no network has seen, and several of
    them: neighbouring pixels are not independent.

    Args:
        samples: `PosteriorSamples`, or an array `(n, batch, H, W, 1 or 2)`:
            samples of any kind, such as the outputs of an ensemble.
        truth: Array `(batch, H, W, 1 or 2)`, the true images.
        mask: (Optional) boolean array `(1 or batch, H or 1, W or 1)` or
            `(H or 1, W or 1)`, DC at `(H // 2, W // 2)`, the mask of a single
            coil. Measured and unmeasured k-space is then judged apart. Judge
            them so if you can: unmeasured k-space dominates in pixels, and
            hides intervals for measured k-space that are wrong.
        levels: Numbers in (0, 1), levels of the intervals.

    Returns:
        A dictionary that JSON can store. Its parts are dictionaries from
        `"pixels"`, `"measured"` and `"unmeasured"`: `"coverage"`, to the share
        of true values inside the interval of each level; `"ranks"`, to the
        counts of `rank_histogram`; and `"factor"`, to `deviation_factor`. The
        entries `"correlation"`, `"deviation"` and `"error"` are those of
        `error_against_deviation`.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> draws = rng.normal(size=(21, 4, 32, 32, 2))
    >>> found = loupe_tf.posterior.calibration_report(draws[1:], draws[0])
    >>> round(found["coverage"]["pixels"]["0.95"], 2)
    0.95
    """
    report = {
        "coverage": coverage(samples, truth, mask, levels),
        "ranks": rank_histogram(samples, truth, mask),
        "factor": deviation_factor(samples, truth, mask),
    }
    return {**report, **error_against_deviation(samples, truth)}


def coverage(samples, truth, mask=None, levels=LEVELS):
    """Compute the share of true values inside credible intervals.

    The interval of a real number of which there are n samples, with the mean m
    and the standard deviation d, is `m ± t d √(1 + 1/n)`, with t the quantile
    of Student's distribution of n - 1 degrees of freedom. Among n + 1 numbers
    from one normal distribution, it holds the last with exactly the
    probability of its level, however small n is.

    Args:
        samples, truth, mask, levels: As for `calibration_report`.

    Returns:
        A dictionary from `"pixels"`, and `"measured"` and `"unmeasured"` with a
        mask, to a dictionary from the level, as a string, to the share.
    """
    for level in levels:
        check_number("levels", level, above=0, below=1)
    found = {}
    for name, (draws, true) in _parts(samples, truth, mask).items():
        z = np.abs(_z_values(draws, true))
        quantiles = stats.t.ppf((1 + np.array(levels)) / 2, len(draws) - 1)
        found[name] = {
            f"{level:g}": float(np.mean(z <= quantile))
            for level, quantile in zip(levels, quantiles)
        }
    return found


def rank_histogram(samples, truth, mask=None):
    """Count the ranks of true values among their samples.

    If truth and samples are draws of one distribution, all n + 1 ranks are
    equally frequent (Talts et al., "Validating Bayesian inference algorithms
    with simulation-based calibration", 2018). A histogram that is high at both
    ends tells of intervals that are too narrow; one that is high in the middle,
    of intervals that are too wide. Flat ranks are necessary, not sufficient:
    samples of the prior have them too.

    Args:
        samples, truth, mask: As for `calibration_report`.

    Returns:
        A dictionary as from `coverage`, to lists of n + 1 counts.
    """
    found = {}
    for name, (draws, true) in _parts(samples, truth, mask).items():
        ranks = np.sum(draws < true, axis=0)
        found[name] = np.bincount(ranks, minlength=len(draws) + 1).tolist()
    return found


def error_against_deviation(samples, truth, bins=10):
    """Compare the error of each pixel with its standard deviation.

    Args:
        samples, truth: As for `calibration_report`.
        bins: Integer, groups of pixels of similar deviation, equally large.

    Returns:
        A dictionary: `"correlation"`, Spearman's of the modulus of the error of
        the mean with the standard deviation of the pixel; `"deviation"` and
        `"error"`, lists of their root mean squares in each bin.
    """
    draws, true = standardize(samples, truth)
    error = np.sqrt(np.sum((draws.mean(0) - true) ** 2, axis=-1)).ravel()
    deviation = np.sqrt(draws.var(0, ddof=1).sum(-1)).ravel()
    order = np.array_split(np.argsort(deviation, kind="stable"), bins)

    def by_bin(values):
        return [float(np.sqrt(np.mean(values[part] ** 2))) for part in order]

    constant = np.ptp(deviation) == 0 or np.ptp(error) == 0
    correlation = (
        np.nan if constant else stats.spearmanr(error, deviation).statistic
    )
    return {
        "correlation": float(correlation),
        "deviation": by_bin(deviation),
        "error": by_bin(error),
    }


def deviation_factor(samples, truth, mask=None):
    """Compute the one factor by which deviations are too small.

    It is the root of the mean of `(x - m)² / (d² (1 + 1/n))` over that of exact
    samples, `(n - 1) / (n - 3)`: 1 if samples are calibrated, above 1 if they
    are too certain. Fit it on validation images, and pass it to
    `rescale_deviation`, on others.

    Args:
        samples, truth, mask: As for `calibration_report`; four samples or more.

    Returns:
        A dictionary as from `coverage`, to floats.
    """
    found = {}
    for name, (draws, true) in _parts(samples, truth, mask).items():
        count = len(draws)
        if count < 4:
            raise invalid(
                "samples", "four samples or more", found=f"{count} samples"
            )
        square = np.mean(_z_values(draws, true) ** 2)
        found[name] = float(np.sqrt(square * (count - 3) / (count - 1)))
    return found


def rescale_deviation(samples, factor):
    """Multiply the distance of samples from their mean by a factor.

    Args:
        samples: `PosteriorSamples`, or an array `(n, ...)`.
        factor: Number > 0, such as `deviation_factor(...)["unmeasured"]`.

    Returns:
        Array `(n, ...)`.
    """
    factor = check_number("factor", factor, above=0)
    samples = np.asarray(getattr(samples, "samples", samples))
    mean = samples.mean(0)
    return mean + factor * (samples - mean)


def standardize(samples, truth):
    """Return samples and true images as float64 arrays that fit."""
    draws = np.asarray(getattr(samples, "samples", samples), "float64")
    truth = np.asarray(truth, "float64")
    if draws.ndim != 5 or len(draws) < 2 or draws.shape[-1] not in (1, 2):
        raise invalid(
            "samples",
            "two samples or more, (n, batch, H, W, 1 or 2)",
            found=f"shape={draws.shape}",
        )
    if truth.shape != draws.shape[1:]:
        raise invalid(
            "truth",
            f"the shape of one sample, {draws.shape[1:]}",
            found=f"shape={truth.shape}",
        )
    return draws, truth


def _parts(samples, truth, mask):
    """Return samples `(n, values)` and truth `(values,)` by subspace."""
    draws, truth = standardize(samples, truth)
    count = len(draws)
    parts = {"pixels": (draws.reshape(count, -1), truth.ravel())}
    if mask is None:
        return parts
    mask = np.asarray(mask, bool)
    size = draws.shape[1:4]
    try:
        mask = np.broadcast_to(mask if mask.ndim == 3 else mask[None], size)
    except ValueError:
        raise invalid(
            "mask", f"a shape that fits {size}", found=f"shape={mask.shape}"
        ) from None
    draws, truth = _spectrum(draws), _spectrum(truth)
    for name, where in ("measured", mask), ("unmeasured", ~mask):
        if where.any():
            chosen = draws[:, where].reshape(count, -1)
            parts[name] = chosen, truth[where].ravel()
    return parts


def _spectrum(images):
    """Return k-space as (real, imaginary)."""
    imaginary = images[..., 1] if images.shape[-1] == 2 else 0
    kspace = numpy_fourier.fft2c(images[..., 0] + 1j * imaginary)
    return np.stack([kspace.real, kspace.imag], -1)


def _z_values(draws, true):
    """Return the error of the mean in standard deviations of a new draw."""
    deviation = draws.std(0, ddof=1) * np.sqrt(1 + 1 / len(draws))
    error = true - draws.mean(0)
    exact = np.where(error == 0, 0.0, np.inf)
    positive = deviation > 0
    return np.where(positive, error / np.where(positive, deviation, 1), exact)
