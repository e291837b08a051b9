import numpy as np
import pytest
from gaussian_case import Case
from keras import ops
from scipy.stats import norm

from loupe_tf import posterior, trajectories
from loupe_tf.layers import GaussianScore
from loupe_tf.operators import Cartesian, NonUniform
from loupe_tf.simulation import birdcage_maps

LEVELS = posterior.noise_levels(0.5, 0.01, count=40)
FEW = posterior.noise_levels(0.5, 0.02, count=3)
SHORT = posterior.Langevin(steps=2)


def variance_ratios(case, found):
    """Variance of the samples over the exact one, on and off the mask."""
    spectrum = case.spectrum_of(found.samples)
    variance = spectrum.var(0, ddof=1) / 2  # One real component's.
    ratio = variance.mean(0) / case.variance
    return ratio[case.mask].mean(), ratio[~case.mask].mean()


def coverage(case, found, level):
    """Share of true coefficients in intervals, on and off the mask.

    With the exact mean and variance, each is `level`.
    """
    samples = case.spectrum_of(found.samples)
    count = len(samples)
    error = case.spectrum_of(case.truth) - samples.mean(0)
    # Intervals of a mean and a variance that are not known exactly.
    variance = samples.var(0, ddof=1) / 2 * (1 + 1 / count)
    width = norm.ppf((1 + level) / 2) * np.sqrt(variance)
    inside = np.stack([abs(error.real) < width, abs(error.imag) < width])
    return inside[..., case.mask].mean(), inside[..., ~case.mask].mean()


def mean_error(case, found):
    """Mean squared error of the mean, over what so many chains have."""
    error = case.spectrum_of(found.mean) - case.mean
    return np.mean(np.abs(error) ** 2 / (2 * case.variance)) * len(
        found.samples
    )


@pytest.mark.parametrize(
    "method",
    [posterior.Langevin(steps=6), posterior.HMC(steps=1)],
    ids=["langevin", "hmc"],
)
def test_a_gaussian_posterior_is_wieners(method):
    """Within what 64 chains of two images can tell."""
    case = Case((12, 13), batch=2, sigma=0.05)
    found = posterior.sample(
        case.score,
        case.scan,
        case.kspace,
        sigma=0.05,
        method=method,
        levels=LEVELS,
        final=0.001,
        chains=64,
    )
    np.testing.assert_allclose(variance_ratios(case, found), 1, atol=0.07)
    assert mean_error(case, found) < 1.3
    if isinstance(method, posterior.HMC):
        assert found.acceptance.shape == (64, 2)
        assert 0.5 < found.acceptance.mean() < 0.99
    else:
        assert found.acceptance is None


class Wide(GaussianScore):
    levels = (0.005, 0.5)


def test_the_default_levels_suit_the_noise():
    """Also where much of k-space is as strong as the noise, as in images.

    Levels of the score alone would end at half of the noise, and leave 0.8 of
    the variance on the mask.
    """
    case = Case((16, 16), batch=2, sigma=0.03)
    score = Wide(case.power / 10)
    found = posterior.sample(
        score, case.scan, case.kspace, 0.03, posterior.Langevin(4), chains=48
    )
    case.variance = 1 / (10 / case.power + case.mask / 0.03**2)
    ratios = variance_ratios(case, found)
    np.testing.assert_allclose(ratios, 1, atol=0.08)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [posterior.Langevin(steps=20), posterior.HMC(steps=4)],
    ids=["langevin", "hmc"],
)
def test_a_gaussian_posterior_and_its_coverage(method):
    case = Case((32, 32), batch=12, sigma=0.05)
    found = posterior.sample(
        case.score,
        case.scan,
        case.kspace,
        sigma=0.05,
        method=method,
        levels=posterior.noise_levels(0.5, 0.003, count=60),
        chains=48,
    )
    np.testing.assert_allclose(variance_ratios(case, found), 1, atol=0.05)
    for level in 0.68, 0.95:
        shares = coverage(case, found, level)
        np.testing.assert_allclose(shares, level, atol=0.02)


def test_without_noise_the_measured_kspace_is_kept():
    case = Case((8, 9), batch=1, sigma=0)
    found = posterior.sample(
        case.score,
        case.scan,
        case.kspace,
        sigma=0,
        levels=posterior.noise_levels(0.5, 0.003, count=20),
        chains=16,
    )
    measured = case.kspace[:, 0] @ np.array([1, 1j])
    error = np.abs(case.spectrum_of(found.samples) - measured)
    assert error[..., case.mask].max() < 5 * 0.003
    assert error[..., ~case.mask].max() > 0.1
    assert found.sigma == 0 and found.sigma_source == "given"


def test_a_full_scan_leaves_the_noise():
    """The standard deviation is that of two components, √(2 P σ²/(P + σ²))."""
    prior = GaussianScore(np.full((8, 9), 0.5))
    found = posterior.sample(
        prior,
        Cartesian(),
        np.zeros((1, 1, 8, 9, 2)),
        sigma=0.1,
        levels=posterior.noise_levels(0.5, 0.01, count=20),
        final=0.001,
        chains=64,
    )
    exact = np.sqrt(2 * 0.5 * 0.01 / 0.51)
    np.testing.assert_allclose(found.std.mean(), exact, rtol=0.05)


def test_masks_and_maps_of_each_image():
    """Two scans in one batch are as each by itself."""
    rng = np.random.default_rng(0)
    case = Case((8, 9), batch=2, sigma=0.05)
    masks = (rng.uniform(size=(2, 8, 9, 1)) < 0.5).astype("float32")
    maps = [birdcage_maps((8, 9), 3, angle=angle) for angle in (0, 1)]
    maps = np.stack([[np.real(m), np.imag(m)] for m in maps])
    maps = np.moveaxis(maps, 1, -1).astype("float32")
    every = Cartesian(masks, maps)
    y = ops.convert_to_numpy(every.forward(case.truth))
    found = posterior.sample(
        case.score, every, y, 0.05, SHORT, FEW, chains=3
    ).samples
    first = posterior.sample(
        case.score,
        Cartesian(masks[:1], maps[:1]),
        y[:1],
        0.05,
        SHORT,
        FEW,
        chains=3,
    ).samples
    np.testing.assert_allclose(found[:, :1], first, atol=2e-4)


def radial_scan(case):
    spokes = trajectories.radial(shots=6, samples=12).positions[None]
    scan = NonUniform(spokes, (8, 9))
    return scan, ops.convert_to_numpy(scan.forward(case.truth))


@pytest.mark.slow
def test_a_trajectory():
    case = Case((8, 9), batch=1, sigma=0.05)
    scan, y = radial_scan(case)
    method = posterior.Langevin(steps=20)
    found = posterior.sample(case.score, scan, y, 0.05, method, FEW, chains=4)
    residual = ops.convert_to_numpy(scan.forward(found.mean)) - y
    assert np.linalg.norm(residual) < 0.4 * np.linalg.norm(y)


def test_a_trajectory_has_no_corners():
    case = Case((8, 9), batch=1, sigma=0.05)
    scan, y = radial_scan(case)
    with pytest.raises(ValueError, match="`sigma`.*corners"):
        posterior.sample(case.score, scan, y, levels=FEW)


def test_an_unknown_noise_level_is_estimated_and_said():
    case = Case((16, 16), batch=1, sigma=0.3, acceleration=2)
    found = posterior.sample(
        case.score, case.scan, case.kspace, None, SHORT, FEW, chains=2
    )
    assert found.sigma_source == "estimated from the corners of k-space"
    assert 0.2 < found.sigma < 0.4


def test_a_noise_scan_tells_the_noise_level(rng):
    case = Case((8, 9), batch=1, sigma=0.3)
    noise = rng.normal(scale=0.3, size=(1, 1, 40, 40, 2))
    given = case.score, case.scan, case.kspace
    options = {"levels": FEW, "noise_scan": noise}
    found = posterior.sample(*given, None, SHORT, chains=2, **options)
    assert found.sigma_source == "estimated from the noise scan"
    np.testing.assert_allclose(found.sigma, 0.3, rtol=0.05)
    image = posterior.map_estimate(*given, steps=2, **options)
    again = posterior.map_estimate(*given, found.sigma, FEW, steps=2)
    np.testing.assert_array_equal(image, again)
    with pytest.raises(ValueError, match="`noise_scan`.*beside"):
        posterior.sample(*given, 0.3, SHORT, chains=2, **options)


def test_a_score_of_another_size_is_named():
    case, other = (Case(size, batch=1, sigma=0.1) for size in ((8, 9), (9, 8)))
    with pytest.raises(ValueError, match=r"`score`.*\(8, 9\).*\(9, 8\)"):
        posterior.sample(
            other.score, case.scan, case.kspace, 0.1, SHORT, FEW, chains=2
        )


def test_levels_that_end_above_the_noise_bring_a_warning():
    case = Case((8, 9), batch=1, sigma=0.02)
    levels = [0.5, 0.1]
    with pytest.warns(UserWarning, match="last level, 0.1, is not"):
        posterior.sample(
            case.score, case.scan, case.kspace, 0.02, SHORT, levels
        )


def test_a_scan_in_another_unit_brings_a_warning():
    case = Case((8, 9), batch=1, sigma=0.05)
    with pytest.warns(UserWarning, match="unit of the images"):
        posterior.sample(
            case.score, case.scan, 100 * case.kspace, 0.05, SHORT, FEW
        )


class Trained(GaussianScore):
    levels = (0.02, 0.6)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"sigma": -1}, "`sigma`.*at least 0"),
        ({"chains": 1}, "`chains`.*at least 2"),
        ({"levels": [0.1, 0.2]}, "`levels`.*do not grow"),
        ({"levels": [0.5, 0]}, "`levels`.*positive"),
        ({"levels": [1.0, 0.1]}, "`levels`.*from 0.02 to 0.6"),
        ({"levels": [0.5, 0.01]}, "`levels`.*from 0.02 to 0.6"),
        ({"final": 0.6, "levels": [0.5]}, "`final`"),
        ({"measurement": np.full((1, 1, 8, 9, 2), np.nan)}, "finite"),
    ],
)
def test_arguments_are_checked(wrong, message):
    case = Case((8, 9), batch=1, sigma=0.05)
    given = {"measurement": case.kspace, "sigma": 0.05, "method": SHORT}
    with pytest.raises(ValueError, match=message):
        posterior.sample(Trained(case.power), case.scan, **{**given, **wrong})


def test_a_chain_that_diverges_is_named():
    case = Case((8, 9), batch=1, sigma=0.05)
    with pytest.raises(FloatingPointError, match="after 2 of 4 levels"):
        posterior.sample(
            lambda inputs: inputs[0] / (inputs[1] - FEW[1]),
            case.scan,
            case.kspace,
            0.05,
            SHORT,
            FEW,
            chains=2,
        )
