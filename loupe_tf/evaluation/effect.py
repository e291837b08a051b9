import dataclasses

import numpy as np

from loupe_tf.checks import invalid


@dataclasses.dataclass(frozen=True)
class Effect:
    """The difference between two methods over patients, with its interval.

    Attributes:
        mean: Float, mean difference over patients; above 0 if the first method
            is better.
        low, high: Floats, the 95 % confidence interval of the mean.
        detectable: Float, the smallest true mean that would be detected with a
            probability of 80 %, which means that the interval excludes 0.
        p_value: Float, two-sided.
        patients, volumes, pairs: Integers, the number of each.
    """

    mean: float
    low: float
    high: float
    detectable: float
    p_value: float
    patients: int
    volumes: int
    pairs: int

    @property
    def verdict(self):
        """`"better"`, `"worse"` or `"inconclusive"`."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "inconclusive"

    def within(self, margin):
        """Return whether the interval excludes being `margin` or more worse."""
        return self.low > -margin

    def __str__(self):
        return f"{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def effect(differences, patients):
    """Compute the mean of paired differences over patients.

    Seeds of one volume are not independent, nor are volumes of one patient.
    Each patient therefore counts once: the differences of a volume are averaged
    over seeds, and then those of a patient over volumes. The means of the
    patients give Student's interval

        mean ± t(0.975, n - 1) · SD / √n

    It assumes that patients are normally distributed, and it includes the
    variation due to seeds and volumes. The smallest detectable difference is
    `(t(0.975, n - 1) + t(0.8, n - 1)) · SD / √n`.

    Args:
        differences: Dictionary from volume to a list of floats, one for each
            seed, as returned by `differences_by_volume`.
        patients: Dictionary from volume to patient.

    Returns:
        An `Effect`.

    Raises:
        ValueError: If there are fewer than two patients, because a single one
            does not show how much patients differ.

    Example:

    >>> found = loupe_tf.evaluation.effect(
    ...     {"a1": [0.5, 0.7], "a2": [0.4], "b": [0.9], "c": [0.3]},
    ...     {"a1": "a", "a2": "a", "b": "b", "c": "c"},
    ... )
    >>> print(found, found.verdict)
    +0.57 [-0.19, +1.33] inconclusive
    """
    # A slow import, so only when needed.
    from scipy import stats

    by_patient = {}
    for volume, values in differences.items():
        by_patient.setdefault(patients[volume], []).append(np.mean(values))
    means = np.array([np.mean(each) for each in by_patient.values()])
    n = len(means)
    if n < 2:
        raise invalid("patients", "two or more", found=f"{sorted(by_patient)}")
    error = means.std(ddof=1) / np.sqrt(n)
    quantile, power = stats.t.ppf([0.975, 0.8], n - 1)
    mean = means.mean()
    # Without any spread, Student's test is not defined.
    p_value = float(mean == 0)
    if error:
        p_value = stats.ttest_1samp(means, 0.0).pvalue
    return Effect(
        mean=float(mean),
        low=float(mean - quantile * error),
        high=float(mean + quantile * error),
        detectable=float((quantile + power) * error),
        p_value=float(p_value),
        patients=n,
        volumes=len(differences),
        pairs=sum(map(len, differences.values())),
    )


def differences_by_volume(records, others, volumes, key, metric="psnr"):
    """Compute the differences of paired records, by volume.

    Args:
        records, others: Lists of records. Records without a partner are left
            out.
        volumes: Callable that takes a record and returns the metrics of each
            volume (`loupe_tf.evaluation.per_volume`), or `None` if the run has
            diverged.
        key: Callable that takes a record and returns a key that it shares with
            its partner, such as the fold and the seed.
        metric: String, the metric.

    Returns:
        Dictionary from volume to a list of differences `records - others`.
        Empty if there is no pair.
    """
    others = {key(record): volumes(record) for record in others}
    found = {}
    for record in records:
        own, other = volumes(record), others.get(key(record))
        if not own or not other:
            continue
        for volume, values in own.items():
            difference = values[metric] - other[volume][metric]
            found.setdefault(volume, []).append(difference)
    return found
