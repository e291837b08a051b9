import numpy as np
import pytest
from scipy import stats

from loupe_tf.evaluation import differences_by_volume, effect

PATIENTS = {"a1": "a", "a2": "a", "b": "b", "c": "c", "d": "d"}


def test_each_patient_counts_once(rng):
    values = rng.normal(0.3, 0.1, (5, 3))
    differences = dict(zip(PATIENTS, values))
    means = [values[:2].mean(), *values[2:].mean(axis=1)]
    found = effect(differences, PATIENTS)
    expected = stats.ttest_1samp(means, 0)
    low, high = expected.confidence_interval()
    assert found.mean == pytest.approx(np.mean(means))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.patients, found.volumes, found.pairs) == (4, 5, 15)
    # More seeds of one volume do not make it count more.
    differences["b"] = np.repeat(differences["b"], 100)
    assert effect(differences, PATIENTS).mean == pytest.approx(found.mean)


def test_detectable_with_a_power_of_80_percent(rng):
    patients = {str(i): str(i) for i in range(5)}
    differences = {name: [x] for name, x in zip(patients, rng.normal(size=5))}
    found = effect(differences, patients)
    error = (found.high - found.mean) / stats.t.ppf(0.975, 4)
    # The noncentral t says how often the interval leaves out 0.
    power = stats.nct.sf(stats.t.ppf(0.975, 4), 4, found.detectable / error)
    assert power == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.4, 0.5, 0.6], "better"),
        ([-0.4, -0.5, -0.6], "worse"),
        ([0.4, 0.5, -0.6], "inconclusive"),
    ],
)
def test_verdict(values, verdict):
    names = "abc"
    found = effect(
        {name: [x] for name, x in zip(names, values)},
        dict(zip(names, names)),
    )
    assert found.verdict == verdict
    assert found.within(10.0) and not found.within(-10.0)


def test_one_patient_tells_nothing():
    with pytest.raises(ValueError, match="`patients`.*two or more.*'a'"):
        effect({"a1": [1.0], "a2": [2.0]}, PATIENTS)


def test_pairs_have_fold_and_seed_in_common():
    def record(fold, seed, **psnr):
        volumes = {k: {"psnr": x} for k, x in psnr.items()}
        return {"fold": fold, "seed": seed, "volumes": volumes}

    ours = [record(0, 1, a=3.0), record(0, 2, a=4.0), record(1, 1, b=5.0)]
    others = [record(0, 2, a=1.0), record(0, 1, a=1.0), record(1, 3, b=1.0)]
    diverged = {"fold": 1, "seed": 1, "volumes": None}

    def find(others):
        return differences_by_volume(
            ours,
            others,
            lambda r: r["volumes"],
            key=lambda r: (r["fold"], r["seed"]),
        )

    assert find(others) == {"a": [2.0, 3.0]}
    assert find([diverged]) == {}


@pytest.mark.parametrize(
    ("value", "p_value", "verdict"),
    [(0.0, 1.0, "inconclusive"), (0.5, 0.0, "better")],
)
def test_differences_without_spread(value, p_value, verdict):
    found = effect({"a1": [value], "b": [value]}, PATIENTS)
    assert (found.p_value, found.verdict) == (p_value, verdict)
