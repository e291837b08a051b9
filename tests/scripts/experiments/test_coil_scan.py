import numpy as np
import pytest

from experiments.coil_scan import fit_size, image_of_all_samples, load_scan
from loupe_tf.datasets import Slices
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.simulation import birdcage_maps


def _scan():
    y, x = np.mgrid[-1:1:32j, -1:1:36j]
    image = (y**2 + x**2 < 0.6) * (1 + 0.3 * np.sin(5 * x))
    return fft2c(birdcage_maps((32, 36), 4) * image), image


def test_the_image_is_what_the_coils_have_measured():
    y, x = np.mgrid[-1:1:32j, -1:1:36j]
    kspace, image = _scan()
    found = image_of_all_samples(kspace)
    inside = y**2 + x**2 < 0.4
    np.testing.assert_allclose(found[inside], image[inside], rtol=0.02)
    kspace[:, 3, 5] = 0
    assert image_of_all_samples(kspace) is None


def test_a_scan_has_all_samples(tmp_path):
    kspace, _ = _scan()
    np.save(tmp_path / "scan.npy", kspace)
    found, truth = load_scan(str(tmp_path / "scan.npy"))
    np.testing.assert_allclose(found, kspace, atol=1e-5)  # complex64
    np.testing.assert_array_equal(truth, image_of_all_samples(found))
    kspace[:, 3] = 0
    np.save(tmp_path / "scan.npy", kspace)
    with pytest.raises(ValueError, match="scan.npy. Expected fully sampled"):
        load_scan(str(tmp_path / "scan.npy"))


def test_images_get_the_matrix_of_the_scan(images):
    volumes = np.repeat(["v", "w"], 4)
    found, names = fit_size(Slices(images, volumes), (12, 24))
    assert found.shape == (8, 12, 24, 1)
    np.testing.assert_array_equal(names, volumes)
    # 18 columns in the middle of 24; rows of their k-space's centre.
    assert not found[:, :, :3].any() and not found[:, :, 21:].any()
    cropped = Slices(images, volumes).crop_to_acquired((12, 18)).images
    np.testing.assert_array_equal(found[:, :, 3:21], cropped)
