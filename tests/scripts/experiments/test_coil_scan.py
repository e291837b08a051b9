import numpy as np

from experiments.coil_scan import image_of_all_samples
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.simulation import birdcage_maps


def test_the_image_is_what_the_coils_have_measured():
    y, x = np.mgrid[-1:1:32j, -1:1:36j]
    image = (y**2 + x**2 < 0.6) * (1 + 0.3 * np.sin(5 * x))
    kspace = fft2c(birdcage_maps((32, 36), 4) * image)
    found = image_of_all_samples(kspace)
    inside = y**2 + x**2 < 0.4
    np.testing.assert_allclose(found[inside], image[inside], rtol=0.02)
    kspace[:, 3, 5] = 0
    assert image_of_all_samples(kspace) is None
