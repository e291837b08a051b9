"""Statistics of results: means, intervals and tests of differences."""

import itertools

import numpy as np

from loupe_tf.checks import invalid


def mean_and_deviation(result, metric):
    """Compute the mean and standard deviation of a metric over volumes.

    Args:
        result: The result of `per_volume`.
        metric: String, `"psnr"`, `"ssim"` or `"nmse"`.

    Returns:
        A pair of floats. The deviation is NaN for a single volume.
    """
    values = np.array([volume[metric] for volume in result.values()])
    deviation = values.std() if len(values) > 1 else np.nan
    return float(values.mean()), float(deviation)


def paired_difference(result, other, metric="psnr"):
    """Compute the difference of two results for each volume.

    Args:
        result, other: Two results of `per_volume` for the same volumes.
        metric: String, `"psnr"`, `"ssim"` or `"nmse"`.

    Returns:
        Array `(volumes,)` of `result - other`.
    """
    return np.array([result[v][metric] - other[v][metric] for v in result])


def bootstrap_interval(values, level=0.95, draws=10000, seed=0):
    """Compute the interval of a mean by the percentile bootstrap (Efron, 1979).

    Each draw takes n values with replacement. The interval holds the middle
    share `level` of the means of all draws. It is too narrow if there are few
    values.

    Args:
        values: Array `(n,)` of two or more values, such as the result of
            `paired_difference`.
        level: Float between 0 and 1.
        draws: Integer, number of draws.
        seed: Integer, seed of the draws.

    Returns:
        A pair of floats.

    Raises:
        ValueError: If there are fewer than two values, because a single one
            does not show how much values differ.
    """
    values = np.asarray(values, "float64")
    if values.ndim != 1 or len(values) < 2:
        raise invalid(
            "values",
            "an array of two values or more",
            found=f"shape={values.shape}",
        )
    rows = np.random.default_rng(seed).integers(
        len(values), size=(draws, len(values))
    )
    tails = (1 - level) / 2, (1 + level) / 2
    low, high = np.quantile(values[rows].mean(axis=1), tails)
    return float(low), float(high)


def sign_flip_test(differences, draws=10000, seed=0):
    """Compute how often random signs give a mean as far from zero.

    This is the paired permutation test. Under the hypothesis that neither
    result is better, each difference has either sign with equal probability.

    Args:
        differences: Array, such as the result of `paired_difference`.
        draws: Integer, number of random draws of the signs. With up to 12
            pairs, all combinations of signs are used instead.
        seed: Integer, seed of the draws.

    Returns:
        Float, the two-sided p-value.
    """
    differences = np.ravel(differences).astype("float64")
    n = len(differences)
    if n <= 12:
        signs = np.array(list(itertools.product((-1, 1), repeat=n)))
    else:
        signs = np.random.default_rng(seed).choice((-1, 1), (draws, n))
    means = np.abs(signs @ differences) / n
    return float(np.mean(means >= abs(differences.mean()) - 1e-12))


def by_cell(records, key, order=None):
    """Group records by the cells of a grid, in a fixed order.

    Args:
        records: List of records with a `seed`.
        key: Callable that takes a record and returns its cell.
        order: (Optional) callable that takes a record and returns a key to sort
            the cells by. By default, cells keep the order of the records.

    Returns:
        A dictionary from cell to a list of records, sorted by seed.
    """
    cells = {}
    # The sort is stable.
    if order:
        records = sorted(records, key=order)
    for record in records:
        cells.setdefault(key(record), []).append(record)
    return {k: sorted(v, key=lambda r: r["seed"]) for k, v in cells.items()}


def in_words(differences):
    """Describe the mean, deviation and significance of differences.

    A single volume gives neither a deviation nor a test, however many seeds
    there are.

    Args:
        differences: Dictionary from volume to a list of differences in
            decibels, one for each seed, as returned by
            `differences_by_volume`.

    Returns:
        A string, the end of a sentence.
    """
    volumes = len(differences)
    differences = np.concatenate(list(differences.values()))
    seeds = differences.size
    if volumes < 2:
        over = "one seed" if seeds == 1 else f"mean over {seeds} seeds"
        return (
            f"{differences.mean():+.2f} dB on one test volume, {over}; one "
            "volume says nothing about others."
        )
    p_value = sign_flip_test(differences)
    return (
        f"{differences.mean():+.2f} ± {differences.std():.2f} dB over "
        f"{differences.size} pairs of seed and test volume; p = {p_value:.3f} "
        "(paired sign-flip test)."
    )
