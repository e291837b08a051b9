import numpy as np
import pytest
import skimage.filters
import skimage.metrics

from loupe_tf import evaluation


@pytest.fixture
def pair(rng):
    """A volume in fastMRI's unit, and a reconstruction of it."""
    volume = rng.uniform(size=(3, 19, 24)) * 7e-5
    volume[1] /= 3
    return volume, volume + rng.normal(size=volume.shape) * 5e-6


def _ssim(x, y, peak):
    """One slice, from the definition alone: window by window."""
    values = []
    for i, j in np.ndindex(*(n - 6 for n in x.shape)):
        a, b = (z[i : i + 7, j : j + 7].ravel() / peak for z in (x, y))
        (var_a, cov), (_, var_b) = np.cov(a, b)
        values.append(
            (2 * a.mean() * b.mean() + 1e-4)
            * (2 * cov + 9e-4)
            / (a.mean() ** 2 + b.mean() ** 2 + 1e-4)
            / (var_a + var_b + 9e-4)
        )
    return np.mean(values)


def test_from_the_definitions_to_1e_6(pair):
    volume, output = pair
    found = evaluation.fastmri_metrics(volume, output)
    peak, error = volume.max(), np.sum((volume - output) ** 2)
    assert found == pytest.approx(
        {
            "psnr": 10 * np.log10(volume.size * peak**2 / error),
            "ssim": np.mean([_ssim(x, y, peak) for x, y in zip(*pair)]),
            "nmse": error / np.sum(volume**2),
        },
        abs=1e-6,
    )


def test_agrees_with_scikit_image_to_1e_6(pair):
    volume, output = pair
    found = evaluation.fastmri_metrics(volume, output[..., None])
    peak = volume.max()
    psnr = skimage.metrics.peak_signal_noise_ratio(
        volume, output, data_range=peak
    )
    slices = [
        skimage.metrics.structural_similarity(a, b, data_range=peak)
        for a, b in zip(volume, output)
    ]
    assert found["psnr"] == pytest.approx(psnr, abs=1e-6)
    assert found["ssim"] == pytest.approx(np.mean(slices), abs=1e-6)


def test_a_common_scale_changes_nothing(pair):
    scaled = [3e5 * x for x in pair]
    for metric in (evaluation.fastmri_metrics, evaluation.foreground_ssim):
        assert metric(*scaled) == pytest.approx(metric(*pair), rel=1e-9)


def test_foreground_is_otsu(rng):
    volume = rng.normal(0.1, 0.02, size=(2, 20, 20))
    volume[:, 5:15, 4:12] += 0.6
    inside = evaluation.foreground(volume)
    expected = np.zeros(volume.shape, bool)
    expected[:, 5:15, 4:12] = True
    np.testing.assert_array_equal(inside, expected)
    mixed = rng.gamma(2.0, size=(3, 30, 30))
    # Theirs is the middle of a bin.
    threshold = skimage.filters.threshold_otsu(mixed) + np.ptp(mixed) / 512
    np.testing.assert_array_equal(
        evaluation.foreground(mixed), mixed > threshold
    )


def test_noise_in_the_background_does_not_count(rng):
    volume = np.zeros((1, 40, 40))
    volume[:, 10:30, 10:30] = rng.uniform(0.5, 1, size=(20, 20))
    noise = rng.normal(size=volume.shape) * 0.05
    # As far from the object as the window reaches.
    noise[:, 6:34, 6:34] = 0
    assert evaluation.fastmri_metrics(volume, volume + noise)["ssim"] < 0.9
    assert evaluation.foreground_ssim(volume, volume + noise) > 1 - 1e-9


@pytest.mark.parametrize(
    "volume, output, said",
    [
        (np.zeros((2, 8, 8)), np.ones((2, 8, 8)), "`volume`.*zero everywhere"),
        (np.ones((2, 8, 8)), np.ones((1, 8, 8)), "`output`.*2, 8, 8"),
        (np.ones((2, 6, 8)), np.ones((2, 6, 8)), "`volume`.*at least 7"),
    ],
)
def test_volumes_without_metrics(volume, output, said):
    for metric in (evaluation.fastmri_metrics, evaluation.foreground_ssim):
        with pytest.raises(ValueError, match=said):
            metric(volume, output)


def test_a_perfect_volume():
    ones = np.ones((2, 8, 8))
    perfect = evaluation.fastmri_metrics(ones, ones)
    assert perfect["psnr"] == pytest.approx(100) and perfect["nmse"] == 0
    with pytest.raises(ValueError, match="`volume`.*differ"):
        evaluation.foreground_ssim(ones, ones)
