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
    with pytest.raises(ValueError, match="`output`.*2, 8, 8"):
        evaluation.fastmri_metrics(zero + 1, zero[:1])
    perfect = evaluation.fastmri_metrics(zero + 1, zero + 1)
    assert perfect["psnr"] == pytest.approx(100) and perfect["nmse"] == 0


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
