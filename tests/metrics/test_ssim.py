import numpy as np
import pytest
import skimage.metrics
from keras import ops

from loupe_tf import metrics

numpy = ops.convert_to_numpy
WINDOWS = {
    "gaussian": {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
    },
    "uniform": {"win_size": 7, "use_sample_covariance": True},
}


@pytest.mark.parametrize("size", [(31, 33), (11, 48), (64, 64)])
@pytest.mark.parametrize("max_value", [1.0, 2.5])
@pytest.mark.parametrize("window", WINDOWS)
def test_ssim_agrees_with_scikit_image(pair, window, max_value, size):
    true, pred = pair(size=size)
    expected = [
        skimage.metrics.structural_similarity(
            t[..., 0].astype("float64"),
            p[..., 0].astype("float64"),
            data_range=max_value,
            **WINDOWS[window],
        )
        for t, p in zip(true, pred, strict=True)
    ]
    actual = numpy(metrics.ssim(true, pred, max_value, window))
    assert actual.min() < 0.9  # The images are not all alike.
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_ssim_compares_complex_images_by_magnitude(pair):
    true, pred = pair(channels=2)
    expected = metrics.ssim(
        *(np.linalg.norm(x, axis=-1, keepdims=True) for x in (true, pred))
    )
    np.testing.assert_allclose(
        numpy(metrics.ssim(true, pred)), numpy(expected), atol=1e-5
    )
    # A turn of the phase is an error to PSNR, and none to SSIM.
    turned = np.stack([-true[..., 1], true[..., 0]], axis=-1)
    assert numpy(metrics.ssim(true, turned)).min() > 0.9999
    assert numpy(metrics.psnr(true, turned)).max() < 10


@pytest.mark.parametrize("level", [1e2, 1e4, 1e6])
def test_ssim_of_images_out_of_range_stays_in_range(rng, level):
    # A network that has run away is far from the range of the pixels, and
    # almost constant there: rounding is larger than the variances.
    true = rng.uniform(size=(2, 31, 33, 1)).astype("float32")
    away = (level + 1e-3 * true).astype("float32")
    for pair in ((true, away), (away, away), (away, away[:, ::-1])):
        value = numpy(metrics.ssim(*pair))
        assert (abs(value) <= 1 + 1e-5).all()


def test_ssim_keeps_the_sign_of_one_channel(pair):
    true, pred = (x[2:] - 0.5 for x in pair())
    expected = skimage.metrics.structural_similarity(
        true[0, ..., 0], pred[0, ..., 0], data_range=1.0, **WINDOWS["gaussian"]
    )
    assert float(metrics.ssim(true, pred)[0]) == pytest.approx(expected, 1e-4)
    absolute = float(metrics.ssim(np.abs(true), np.abs(pred))[0])
    assert absolute != pytest.approx(expected, 1e-2)


@pytest.mark.parametrize("window, size", [("gaussian", 11), ("uniform", 7)])
def test_images_smaller_than_the_window(pair, window, size):
    true, pred = pair(size=(size, size))
    assert numpy(metrics.ssim(true, pred, window=window)).shape == (3,)
    for small in [(size - 1, 20), (20, size - 1)]:
        with pytest.raises(ValueError, match=f"at least {size}.*{window}"):
            metrics.ssim(*pair(size=small), window=window)


def test_invalid_window():
    with pytest.raises(ValueError, match="`window`.*'gaussian', 'uniform'"):
        metrics.SSIM(window="box")
