import numpy as np
import pytest
from gaussian_case import Case, channels, ifft2c

from loupe_tf import posterior

NAMES = ("pixels", "measured", "unmeasured")


def exact_samples(case, count, rng):
    """Draws of the exact posterior."""
    noise = rng.normal(size=(2, count, *case.mean.shape))
    noise = np.sqrt(case.variance) * (noise[0] + 1j * noise[1])
    return channels(ifft2c(case.mean + noise))


@pytest.fixture(scope="module")
def case():
    return Case((32, 33), batch=6, sigma=0.05, seed=1)


def test_exact_samples_are_calibrated(case, rng):
    for count in 4, 12:
        draws = exact_samples(case, count, rng)
        report = posterior.calibration_report(draws, case.truth, case.mask)
        for name in NAMES:
            for level, share in report["coverage"][name].items():
                # Pixels depend on each other.
                most = 0.06 if name == "pixels" else 0.025
                assert abs(share - float(level)) < most, (name, level)
        assert report["correlation"] < 0.1  # All pixels are alike.
    for name in NAMES:
        assert abs(report["factor"][name] - 1) < 0.1
        ranks = np.array(report["ranks"][name])
        assert len(ranks) == 13
        np.testing.assert_allclose(ranks / ranks.mean(), 1, atol=0.3)


def test_subspaces_show_what_pixels_hide(case, rng):
    """Intervals for measured k-space that are ten times too narrow."""
    draws = exact_samples(case, 12, rng)
    kspace = case.spectrum_of(draws)
    mean = kspace.mean(0)
    kspace = np.where(case.mask, mean + 0.1 * (kspace - mean), kspace)
    draws = channels(ifft2c(kspace))
    found = posterior.coverage(draws, case.truth, case.mask[None])
    assert abs(found["pixels"]["0.95"] - 0.95) < 0.05
    assert found["measured"]["0.95"] < 0.3
    assert abs(found["unmeasured"]["0.95"] - 0.95) < 0.03
    ranks = posterior.rank_histogram(draws, case.truth, case.mask)["measured"]
    assert ranks[0] > 3 * ranks[6]


def test_one_factor_mends_the_deviation(case, rng):
    draws = posterior.rescale_deviation(exact_samples(case, 12, rng), 0.5)
    factor = posterior.deviation_factor(draws, case.truth, case.mask)
    np.testing.assert_allclose(factor["unmeasured"], 2, rtol=0.05)
    mended = posterior.rescale_deviation(draws, factor["unmeasured"])
    np.testing.assert_allclose(mended.mean(0), draws.mean(0), atol=1e-6)
    found = posterior.coverage(mended, case.truth)["pixels"]
    assert abs(found["0.68"] - 0.68) < 0.06


def test_error_follows_the_deviation(rng):
    """With a deviation that differs between pixels."""
    spread = np.linspace(0.1, 2, 32)[:, None, None]
    draws = spread * rng.normal(size=(41, 4, 32, 32, 2))
    found = posterior.error_against_deviation(draws[1:], draws[0], bins=5)
    assert found["correlation"] > 0.5
    ratio = np.array(found["error"]) / found["deviation"]
    np.testing.assert_allclose(ratio, np.sqrt(1 + 1 / 40), rtol=0.1)


def test_magnitudes_and_lines(rng):
    draws = rng.normal(size=(7, 2, 8, 9, 1))
    mask = np.arange(9)[None] % 2 == 0
    found = posterior.coverage(draws[1:], draws[0], mask, levels=(0.5,))
    assert set(found) == set(NAMES)


def test_what_does_not_vary_covers_only_itself():
    draws = np.zeros((4, 1, 4, 4, 2))
    found = posterior.coverage(draws, np.zeros((1, 4, 4, 2)))
    assert found["pixels"]["0.5"] == 1
    found = posterior.coverage(draws, np.ones((1, 4, 4, 2)))
    assert found["pixels"]["0.95"] == 0


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"samples": np.zeros((1, 2, 4, 4, 2))}, "`samples`.*two samples"),
        ({"samples": np.zeros((3, 2, 4, 4, 2))}, "`samples`.*four samples"),
        ({"truth": np.zeros((1, 4, 4, 2))}, "`truth`"),
        ({"mask": np.ones((3, 3))}, "`mask`"),
        ({"levels": (1.0,)}, "`levels`"),
    ],
)
def test_arguments_are_checked(rng, wrong, message):
    given = {
        "samples": rng.normal(size=(5, 2, 4, 4, 2)),
        "truth": np.zeros((2, 4, 4, 2)),
    }
    with pytest.raises(ValueError, match=message):
        posterior.calibration_report(**{**given, **wrong})
