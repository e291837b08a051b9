import numpy as np

from loupe_tf import masks
from loupe_tf.numpy_fourier import ifft2c
from loupe_tf.reconstruction import ZeroFilled, adjoint


def test_combinations(scan):
    s = scan()
    mask = masks.uniform_random(s.image.shape, 3, seed=0)
    image = ZeroFilled()(s.kspace, mask, s.maps)
    np.testing.assert_array_equal(image, adjoint(s.kspace, mask, s.maps))
    image = ZeroFilled()(s.kspace, mask)
    coils = ifft2c(s.kspace * np.asarray(mask))
    expected = np.sqrt((np.abs(coils) ** 2).sum(axis=0))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, expected, atol=1e-6)
