import numpy as np
import pytest
from keras import ops

from loupe_tf import fourier, numpy_fourier


@pytest.mark.parametrize("size", [(8, 9), (5, 6), (7, 7)])
def test_agrees_with_fourier(rng, size):
    real, imag = rng.normal(size=(2, 3, *size)).astype("float32")
    stacked = np.stack([real, imag], axis=-1)
    for name in ("fft2c", "ifft2c"):
        found = getattr(numpy_fourier, name)(real + 1j * imag)
        expected = ops.convert_to_numpy(getattr(fourier, name)(stacked))
        np.testing.assert_allclose(found.real, expected[..., 0], atol=1e-5)
        np.testing.assert_allclose(found.imag, expected[..., 1], atol=1e-5)


@pytest.mark.parametrize("size", [(4, 5), (3, 4, 2)])
def test_nudft_is_the_sum_of_its_definition(rng, size):
    positions = rng.uniform(-0.5, 0.5, (3, 2, len(size)))
    x = rng.normal(size=(2, *size)) + 1j * rng.normal(size=(2, *size))
    r = np.stack([i - n // 2 for i, n in zip(np.indices(size), size)], -1)
    waves = np.exp(-2j * np.pi * np.tensordot(positions, r, (-1, -1)))
    waves /= np.sqrt(np.prod(size))
    found = numpy_fourier.nudft(x, positions)
    expected = np.tensordot(x, waves, (range(1, x.ndim), range(2, waves.ndim)))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    y = rng.normal(size=(2, 3, 2)) + 1j * rng.normal(size=(2, 3, 2))
    found = numpy_fourier.nudft_adjoint(y, positions, size)
    expected = np.tensordot(y, waves.conj(), ((1, 2), (0, 1)))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 5), (3, 6)])
def test_nudft_on_the_grid_is_fft2c(rng, size):
    axes = [(np.arange(n) - n // 2) / n for n in size]
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    x = rng.normal(size=size)
    found = numpy_fourier.nudft(x, positions)
    np.testing.assert_allclose(found, numpy_fourier.fft2c(x), atol=1e-12)
