import numpy as np
import pytest

from experiments.simulated_scan import measure, noisy, tune
from loupe_tf import masks
from loupe_tf.datasets import Slices
from loupe_tf.numpy_fourier import fft2c


@pytest.fixture
def part(images):
    return Slices(images, np.repeat(["a", "b"], len(images) // 2))


def test_one_coil_measures_the_magnitude(part):
    inputs, images, maps = measure(part, 1, seed=0)
    assert inputs is part.images and images is part.images and maps is None


def test_several_coils_measure_the_image_with_a_phase(part):
    (kspace, expanded), images, maps = measure(part, 3, seed=0)
    x = images @ np.array([1, 1j])
    np.testing.assert_allclose(np.abs(x), part.images[..., 0], atol=1e-6)
    assert np.abs(x.imag).max() > 0.1
    np.testing.assert_allclose(
        kspace @ np.array([1, 1j]), fft2c(maps * x[:, None]), atol=1e-5
    )
    assert expanded.shape == kspace.shape == (8, 3, 16, 18, 2)
    (again, _), *_ = measure(part, 3, seed=0)
    (other, _), *_ = measure(part, 3, seed=1)
    np.testing.assert_array_equal(again, kspace)
    assert not np.allclose(other, kspace)


@pytest.mark.parametrize("coils", [1, 2])
def test_a_regularization_is_chosen(part, coils):
    pytest.importorskip("sigpy")
    mask = masks.gaussian((16, 18), 2, seed=0)
    method = tune("total_variation", mask, part, coils, 0, [1e-3, 10.0], 1)
    # So much variation leaves a flat image.
    assert method.regularization == 1e-3


def test_zero_filling_has_none(part):
    mask = masks.gaussian((16, 18), 2, seed=0)
    method = tune("zero_filled", mask, part, 2, 0, [1.0], 1)
    assert not hasattr(method, "regularization")


@pytest.mark.parametrize("coils", [1, 2])
def test_noise_asks_for_more_regularization(part, coils):
    pytest.importorskip("sigpy")
    mask = masks.gaussian((16, 18), 2, seed=0)
    chosen = [
        tune("total_variation", mask, part, coils, 0, [1e-4, 0.1], 2, noise)
        for noise in (0.0, 0.3)
    ]
    assert [method.regularization for method in chosen] == [1e-4, 0.1]


def test_noise_is_added_to_acquired_samples():
    kspace = np.zeros((2, 64, 64), "complex64")
    kspace[:, ::2] = 1

    def method(kspace, mask, maps):
        return kspace

    assert noisy(method, 0.0, seed=0) is method
    given = noisy(method, 0.2, seed=0)
    first, second = (given(kspace, None, None) - kspace for _ in range(2))
    assert not first[:, 1::2].any() and not np.allclose(first, second)
    for component in first[:, ::2].real, first[:, ::2].imag:
        assert component.std() == pytest.approx(0.2, rel=0.05)
