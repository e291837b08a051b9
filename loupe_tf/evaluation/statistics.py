"""Whether one result is better than another, or only looks so by chance."""

import itertools

import numpy as np

from loupe_tf.checks import invalid


def mean_and_deviation(result, metric):
    """Mean and standard deviation of a metric over volumes.

    Args:
        result: What `per_volume` returns.
        metric: String, `"psnr"`, `"ssim"` or `"nmse"`.

    Returns:
        A pair of floats. The deviation of a single volume is NaN, not known.
    """
    values = np.array([volume[metric] for volume in result.values()])
    deviation = values.std() if len(values) > 1 else np.nan
    return float(values.mean()), float(deviation)


def paired_difference(result, other, metric="psnr"):
    """By how much one result is above another in each of the same volumes.

    Args:
        result, other: What `per_volume` returns, for the same volumes.
        metric: String, `"psnr"`, `"ssim"` or `"nmse"`.

    Returns:
        Array `(volumes,)`.
    """
    return np.array([result[v][metric] - other[v][metric] for v in result])


def bootstrap_interval(values, level=0.95, draws=10000, seed=0):
    """Interval of a mean, by the percentile bootstrap (Efron, 1979).

    As many values are drawn with replacement, again and again, and the middle
    `level` of their means is the interval. Where values are few it is too
    narrow.

    Args:
        values: Array `(n,)`, two values or more, such as `paired_difference`
            returns.
        level: Float between 0 and 1.
        draws: Integer, how often values are drawn.
        seed: Integer, of the draws.

    Returns:
        A pair of floats.

    Raises:
        ValueError: If there are fewer than two values: one does not tell how
            much another would differ.
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
    """How often would signs by chance give a mean as far from zero?

    The paired permutation test: under the hypothesis that neither is better,
    each difference might as well have had the other sign.

    Args:
        differences: Array, such as `paired_difference` or `paired` returns.
        draws: Integer, draws of the signs. Up to 12 pairs, all signs are
            taken.
        seed: Integer, of the draws.

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
    """Records of all seeds of each cell of a grid, in a fixed order.

    Args:
        records: List of records with a `seed`.
        key: Callable that takes a record and returns its cell.
        order: (Optional) callable that takes a record and returns what cells
            are sorted by; by default they keep the order they come in.

    Returns:
        A dict by cell of lists of records, sorted by seed.
    """
    cells = {}
    # Stable: cells of the same order stay as they came.
    if order:
        records = sorted(records, key=order)
    for record in records:
        cells.setdefault(key(record), []).append(record)
    return {k: sorted(v, key=lambda r: r["seed"]) for k, v in cells.items()}


def paired(records, others, volumes, metric="psnr"):
    """Differences between records of the same seed, on the same volume.

    Args:
        records, others: Lists of records with a `seed`, each seed once. Those
            that have no partner are left out.
        volumes: Callable that takes a record and returns the metrics of each
            volume (`loupe_tf.evaluation.per_volume`), or `None` if the run has
            diverged. The volumes are those of all records.
        metric: String, the metric.

    Returns:
        Array `(seeds, volumes)` of `records - others`, without a row if there
        is no pair.
    """
    others = {record["seed"]: volumes(record) for record in others}
    pairs = [(volumes(r), others.get(r["seed"])) for r in records]
    pairs = [pair for pair in pairs if None not in pair]
    if not pairs:
        return np.zeros((0, 0))
    return np.stack([paired_difference(*pair, metric) for pair in pairs])


def in_words(differences):
    """Mean, deviation and significance of what `paired` returns.

    One volume gives neither a deviation nor a test, however many seeds there
    are.

    Args:
        differences: Array `(seeds, volumes)`, of decibels.

    Returns:
        A string, the end of a sentence.
    """
    seeds, volumes = differences.shape
    differences = differences.ravel()
    if volumes < 2:
        return (
            f"{differences.mean():+.2f} dB on one test volume, mean over "
            f"{seeds} seeds; one volume tells nothing of others."
        )
    p_value = sign_flip_test(differences)
    return (
        f"{differences.mean():+.2f} ± {differences.std():.2f} dB over "
        f"{differences.size} pairs of seed and test volume; p = {p_value:.3f} "
        "(paired sign-flip test)."
    )
