import numpy as np
import pytest

from loupe_tf import evaluation


def test_paired_difference():
    better = {"a": {"psnr": 30.0}, "b": {"psnr": 20.0}}
    # In another order.
    other = {"b": {"psnr": 21.0}, "a": {"psnr": 28.0}}
    difference = evaluation.paired_difference(better, other)
    assert difference.tolist() == [2.0, -1.0]


def test_sign_flip_test():
    # Of 2³ signs two give a mean as large.
    assert evaluation.sign_flip_test([1.0, 2.0, 3.0]) == 2 / 8
    assert evaluation.sign_flip_test([1.0, -1.0]) == 1.0
    many = evaluation.sign_flip_test(np.full(20, 1.0))
    assert many < 0.01


def test_bootstrap_interval_agrees_with_scipy(rng):
    stats = pytest.importorskip("scipy.stats")
    values = rng.normal(1, 2, size=9)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", rng=rng
    ).confidence_interval
    found = evaluation.bootstrap_interval(values, draws=20000)
    np.testing.assert_allclose(found, expected, atol=0.06)
    narrower = evaluation.bootstrap_interval(values, level=0.5)
    assert found[0] < narrower[0] < values.mean() < narrower[1] < found[1]
    assert narrower == evaluation.bootstrap_interval(values, level=0.5)
    assert evaluation.bootstrap_interval([2.0, 2.0]) == (2.0, 2.0)


@pytest.mark.parametrize("values", [[], [1.0], [[1.0, 2.0]]])
def test_bootstrap_interval_needs_two_values(values):
    with pytest.raises(ValueError, match="`values`.*two"):
        evaluation.bootstrap_interval(values)


def test_one_volume_has_no_deviation():
    one = {"a": {"psnr": 30.0}}
    assert evaluation.mean_and_deviation(one, "psnr")[0] == 30.0
    assert np.isnan(evaluation.mean_and_deviation(one, "psnr")[1])
    two = {**one, "b": {"psnr": 32.0}}
    assert evaluation.mean_and_deviation(two, "psnr") == (31.0, 1.0)


def test_cells_are_sorted_and_so_are_their_seeds():
    records = [
        {"mask": mask, "seed": seed}
        for mask, seed in [("b", 2), ("a", 1), ("b", 0), ("a", 0)]
    ]

    def mask_of(record):
        return record["mask"]

    found = evaluation.by_cell(records, mask_of)
    assert list(found) == ["b", "a"]
    assert [r["seed"] for r in found["b"]] == [0, 2]
    assert [r["seed"] for r in found["a"]] == [0, 1]
    assert list(evaluation.by_cell(records, mask_of, order=mask_of)) == [
        "a",
        "b",
    ]


def test_in_words():
    assert evaluation.in_words({"a": [1.0, 3.0], "b": [2.0]}) == (
        "+2.00 ± 0.82 dB over 3 pairs of seed and test volume; p = 0.250 "
        "(paired sign-flip test)."
    )


@pytest.mark.parametrize(
    ("differences", "over"),
    [([2.0], "one seed"), ([1.0, 3.0], "mean over 2 seeds")],
)
def test_one_volume_has_neither_a_deviation_nor_a_test(differences, over):
    assert evaluation.in_words({"a": differences}) == (
        f"+2.00 dB on one test volume, {over}; one volume says nothing about "
        "others."
    )
