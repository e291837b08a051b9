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
    assert result["a"]["psnr"] == pytest.approx(30, abs=1e-2)
    assert result["b"]["psnr"] == pytest.approx(13.979, abs=1e-2)
    energy = np.mean(images[2] ** 2)
    assert result["b"]["nmse"] == pytest.approx(0.04 / energy, rel=1e-3)
    assert 0 < result["b"]["ssim"] < result["a"]["ssim"] < 1
    mean, deviation = evaluation.mean_and_deviation(result, "psnr")
    assert mean == pytest.approx((30 + 13.979) / 2, abs=1e-2)
    assert deviation == pytest.approx((30 - 13.979) / 2, abs=1e-2)


def test_paired_difference():
    better = {"a": {"psnr": 30.0}, "b": {"psnr": 20.0}}
    # In another order.
    other = {"b": {"psnr": 21.0}, "a": {"psnr": 28.0}}
    difference = evaluation.paired_difference(better, other)
    assert difference.tolist() == [2.0, -1.0]
