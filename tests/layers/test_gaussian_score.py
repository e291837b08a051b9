import keras
import numpy as np
import pytest
from gaussian_case import Case

from loupe_tf.layers import GaussianScore


def test_the_score_is_the_gradient_of_the_log_density(check_layer, gradient):
    case = Case((7, 8), batch=2, sigma=0)
    s = np.full((2, 1, 1, 1), 0.3, "float32")
    check_layer(case.score, case.truth, s)
    spectrum = case.spectrum_of(case.truth) / (case.power + 0.3**2)
    expected = -np.fft.ifft2(np.fft.ifftshift(spectrum, (-2, -1)), norm="ortho")
    expected = np.fft.fftshift(expected, (-2, -1))
    found = keras.ops.convert_to_numpy(case.score([case.truth, s]))
    np.testing.assert_allclose(found[..., 0], expected.real, atol=1e-5)
    np.testing.assert_allclose(found[..., 1], expected.imag, atol=1e-5)


def test_each_image_has_its_level():
    case = Case((7, 8), batch=2, sigma=0)
    s = np.array([0.1, 2]).reshape(2, 1, 1, 1)
    both = case.score([case.truth, s])
    second = case.score([case.truth[1:], s[1:]])
    np.testing.assert_allclose(both[1:], second, atol=1e-6)


def test_it_adapts_to_the_spectrum_of_images(tmp_path):
    case = Case((7, 8), batch=2000, sigma=0)
    score = GaussianScore()
    score.adapt(case.truth)
    ratio = keras.ops.convert_to_numpy(score.power) / case.power
    np.testing.assert_allclose(ratio, 1, atol=0.15)
    inputs = [keras.Input((7, 8, 2)), keras.Input((1, 1, 1))]
    model = keras.Model(inputs, score(inputs))
    model.save(tmp_path / "score.keras")
    loaded = keras.models.load_model(tmp_path / "score.keras")
    np.testing.assert_array_equal(
        *(m.layers[-1].power for m in (model, loaded))
    )


@pytest.mark.parametrize(
    "images", [np.zeros((2, 7, 8, 1)), np.full((2, 7, 8, 2), np.nan)]
)
def test_images_are_checked(images):
    with pytest.raises(ValueError, match="`images`"):
        GaussianScore().adapt(images)


def test_the_power_is_checked():
    with pytest.raises(ValueError, match="`power`"):
        GaussianScore(-np.ones((4, 4)))
