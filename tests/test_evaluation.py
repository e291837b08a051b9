import math

import numpy as np
import pytest
import skimage.metrics

from loupe_tf import evaluation


def test_per_volume(rng):
    images = rng.uniform(size=(3, 12, 12, 1)).astype("float32")
    # MSE 0.01, 0.0001 and 0.04: 20, 40 and 13.979 dB.
    outputs = images + np.reshape([0.1, 0.01, 0.2], (3, 1, 1, 1))
    volumes = np.array(["a", "a", "b"])
    result = evaluation.per_volume(images, outputs.astype("float32"), volumes)
    assert list(result) == ["a", "b"]
    assert result["a"]["psnr"] == pytest.approx(30, abs=1e-2)
    assert result["b"]["psnr"] == pytest.approx(13.979, abs=1e-2)
    energy = np.mean(images[2] ** 2)
    assert result["b"]["nmse"] == pytest.approx(0.04 / energy, rel=1e-3)
    assert 0 < result["b"]["ssim"] < result["a"]["ssim"] < 1
    mean, deviation = evaluation.mean_and_deviation(result, "psnr")
    assert mean == pytest.approx((30 + 13.979) / 2, abs=1e-2)
    assert deviation == pytest.approx((30 - 13.979) / 2, abs=1e-2)


def test_fastmri_metrics_agree_with_scikit_image(rng):
    volume = rng.uniform(size=(3, 19, 24)) * 7e-5  # fastMRI's unit
    volume[1] /= 3
    output = volume + rng.normal(size=volume.shape) * 5e-6
    result = evaluation.fastmri_metrics(volume, output[..., None])
    peak = volume.max()
    assert result["psnr"] == pytest.approx(
        skimage.metrics.peak_signal_noise_ratio(
            volume, output, data_range=peak
        ),
        abs=1e-5,
    )
    slices = [
        skimage.metrics.structural_similarity(a, b, data_range=peak)
        for a, b in zip(volume, output)
    ]
    assert result["ssim"] == pytest.approx(np.mean(slices), abs=1e-5)
    assert result["nmse"] == pytest.approx(
        np.sum((output - volume) ** 2) / np.sum(volume**2), rel=1e-6
    )


def test_fastmri_metrics_of_volumes_that_have_none():
    zero = np.zeros((2, 8, 8))
    with pytest.raises(ValueError, match="`volume`.*zero everywhere"):
        evaluation.fastmri_metrics(zero, zero + 1)
    with pytest.raises(ValueError, match="equal shapes"):
        evaluation.fastmri_metrics(zero + 1, zero[:1])
    perfect = evaluation.fastmri_metrics(zero + 1, zero + 1)
    assert perfect["psnr"] == pytest.approx(100) and perfect["nmse"] == 0


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


@pytest.mark.parametrize(
    "psnr, ssim, said",
    [
        (25.0, 0.9, None),
        (26.0, 0.91, None),
        (24.5, 0.95, "PSNR 24.50 dB instead of 25.00 dB. Likely"),
        (26.0, 0.85, "SSIM 0.8500 instead of 0.9000. Likely"),
        (math.nan, 0.9, "PSNR nan dB instead"),
        (20.0, 0.1, "PSNR 20.00 dB instead of 25.00 dB, SSIM 0.1000 instead"),
    ],
)
def test_worse_than_zero_filled(psnr, ssim, said):
    found = evaluation.worse_than_zero_filled(
        "gaussian, U-Net",
        {"a": {"psnr": psnr, "ssim": ssim}},
        {"a": {"psnr": 25.0, "ssim": 0.9}},
    )
    if said is None:
        assert found is None
    else:
        assert found.startswith("gaussian, U-Net is worse than zero filling")
        assert said in found and "too few epochs" in found
