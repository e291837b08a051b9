import keras
import numpy as np
import pytest

from loupe_tf import fourier
from loupe_tf.layers import DataConsistency


@pytest.mark.parametrize("centered", [True, False])
def test_measured_samples_are_put_back(check_layer, rng, centered):
    image = rng.normal(size=(2, 5, 6, 2)).astype("float32")
    kspace = rng.normal(size=(2, 5, 6, 2)).astype("float32")
    mask = rng.integers(0, 2, size=(1, 5, 6, 1)).astype("float32")
    fft2 = fourier.fft2c if centered else fourier.fft2
    acquired = mask if centered else fourier.ifftshift(mask)
    acquired = keras.ops.convert_to_numpy(acquired)
    kspace *= acquired
    layer = DataConsistency(centered=centered)
    check_layer(layer, image, kspace, mask)
    got = keras.ops.convert_to_numpy(fft2(layer([image, kspace, mask])))
    before = keras.ops.convert_to_numpy(fft2(image))
    expected = np.where(acquired == 1, kspace, before)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_one_mask_for_each_volume(rng):
    image = rng.normal(size=(2, 3, 5, 6, 2)).astype("float32")
    kspace = np.zeros_like(image)
    mask = np.stack([np.ones((5, 6, 1)), np.zeros((5, 6, 1))])
    got = DataConsistency()([image, kspace, mask.astype("float32")])
    got = keras.ops.convert_to_numpy(got)
    np.testing.assert_allclose(got[0], 0, atol=1e-5)
    np.testing.assert_allclose(got[1], image[1], atol=1e-5)
