import math

import numpy as np
import pytest

from loupe_tf import evaluation


def test_per_volume(rng):
    images = rng.uniform(size=(3, 12, 12, 1)).astype("float32")
    # MSE 0.01, 0.0001 and 0.04: 20, 40 and 13.979 dB.
    outputs = images + np.reshape([0.1, 0.01, 0.2], (3, 1, 1, 1))
    volumes = np.array(["a", "a", "b"])
    result = evaluation.per_volume(images, outputs.astype("float32"), volumes)
    assert list(result) == ["a", "b"]
    given = evaluation.per_volume(images, outputs.astype("float32"), [*"aab"])
    assert given == result
    assert result["a"]["psnr"] == pytest.approx(30, abs=1e-2)
    assert result["b"]["psnr"] == pytest.approx(13.979, abs=1e-2)
    energy = np.mean(images[2] ** 2)
    assert result["b"]["nmse"] == pytest.approx(0.04 / energy, rel=1e-3)
    assert 0 < result["b"]["ssim"] < result["a"]["ssim"] < 1
    mean, deviation = evaluation.mean_and_deviation(result, "psnr")
    assert mean == pytest.approx((30 + 13.979) / 2, abs=1e-2)
    assert deviation == pytest.approx((30 - 13.979) / 2, abs=1e-2)


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
        untrained = evaluation.worse_than_zero_filled(
            "gaussian, wavelet_l1",
            {"a": {"psnr": psnr, "ssim": ssim}},
            {"a": {"psnr": 25.0, "ssim": 0.9}},
            trained=False,
        )
        assert said in untrained and "epochs" not in untrained
        assert "regularization" in untrained
