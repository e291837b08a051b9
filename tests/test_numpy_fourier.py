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
