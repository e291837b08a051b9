import numpy as np
import pytest
import skimage.metrics
from keras import ops

from loupe_tf import metrics

numpy = ops.convert_to_numpy


@pytest.mark.parametrize("max_value", [1.0, 0.7, 255])
def test_psnr_agrees_with_scikit_image(pair, max_value):
    true, pred = pair()
    expected = [
        skimage.metrics.peak_signal_noise_ratio(t, p, data_range=max_value)
        for t, p in zip(true, pred, strict=True)
    ]
    actual = metrics.psnr(true, pred, max_value)
    np.testing.assert_allclose(numpy(actual), expected, atol=1e-4)


def test_psnr_is_equation_7(pair):
    true, pred = pair(batch=1)
    expected = -10 * np.log10(np.mean((true - pred) ** 2))
    assert float(metrics.psnr(true, pred)[0]) == pytest.approx(expected)


def test_a_perfect_image_does_not_poison_the_mean(pair):
    true, pred = pair(batch=2)
    pred[0] = true[0]
    metric = metrics.PSNR()
    metric.update_state(true, pred)
    expected = (100.0 + float(metrics.psnr(true, pred)[1])) / 2
    assert float(metric.result()) == pytest.approx(expected)


def test_the_floor_of_psnr_scales_with_max_value():
    true = np.zeros((1, 16, 16, 1), "float32")
    # 90 dB below the peak is a real value, 110 dB counts as 100.
    pred = true + 255 * 10**-4.5
    assert float(metrics.psnr(true, pred, 255)[0]) == pytest.approx(90, 1e-4)
    pred = true + 255 * 10**-5.5
    assert float(metrics.psnr(true, pred, 255)[0]) == pytest.approx(100)
