import numpy as np
import pytest

from loupe_tf.datasets.resize import center_crop_or_pad, crop_to_acquired
from loupe_tf.numpy_fourier import fft2c, ifft2c


@pytest.mark.parametrize("n", [5, 6, 9])
@pytest.mark.parametrize("m", [4, 5, 6, 7, 10])
def test_the_centre_stays_the_centre(n, m):
    image = np.zeros((n, n))
    image[n // 2, n // 2] = 1
    image[n // 2 - 1, n // 2 + 1] = 2
    out = center_crop_or_pad(image, (m, m))
    assert out.shape == (m, m)
    assert out[m // 2, m // 2] == 1
    assert out[m // 2 - 1, m // 2 + 1] == 2


def test_axes_on_their_own_and_batches(rng):
    images = rng.normal(size=(2, 3, 6, 7)).astype("float32")
    out = center_crop_or_pad(images, (4, 10))
    assert out.shape == (2, 3, 4, 10) and out.dtype == np.float32
    np.testing.assert_array_equal(out[..., 2:9], images[:, :, 1:5])
    assert not out[..., :2].any() and not out[..., 9:].any()
    # A copy, also where nothing changes.
    same = center_crop_or_pad(images, (6, 7))
    same[:] = 0
    assert images.any()


@pytest.mark.parametrize("n", [12, 13])
@pytest.mark.parametrize("m", [11, 12])
def test_padding_is_undone_by_cropping(rng, n, m):
    image = rng.normal(size=(3, m, m))
    out = center_crop_or_pad(center_crop_or_pad(image, (n, n)), (m, m))
    if n >= m:
        np.testing.assert_array_equal(out, image)


@pytest.mark.parametrize("size", [(16, 16), (17, 15)])
@pytest.mark.parametrize("extent", [(10, 12), (11, 13), (9, 15)])
def test_crop_undoes_zero_filling(rng, size, extent):
    small = rng.normal(size=(2, *extent)) + 1j * rng.normal(size=(2, *extent))
    kspace = center_crop_or_pad(fft2c(small), size)
    large = ifft2c(kspace) * np.sqrt(np.prod(size) / np.prod(extent))
    out = crop_to_acquired(large, extent)
    assert out.dtype == np.complex64
    np.testing.assert_allclose(out, small, atol=1e-5)


def test_crop_keeps_intensities_and_position():
    flat = crop_to_acquired(np.full((1, 16, 18), 0.7), (12, 9))
    assert flat.shape == (1, 12, 9) and flat.dtype == np.float32
    np.testing.assert_allclose(flat, 0.7, rtol=1e-6)
    grid = np.indices((64, 64)) - 32
    blob = np.exp(-((grid[0] - 8) ** 2 + (grid[1] + 12) ** 2) / 50)
    out = crop_to_acquired(blob, (32, 64))
    # The pixel 8 below the centre is now 4 below it.
    assert np.unravel_index(out.argmax(), out.shape) == (16 + 4, 32 - 12)
    assert out.max() == pytest.approx(1, abs=1e-3)


def test_crop_to_the_whole_changes_nothing(rng):
    image = rng.uniform(size=(2, 6, 7)).astype("float32")
    np.testing.assert_array_equal(crop_to_acquired(image, (6, 7)), image)


@pytest.mark.parametrize(
    "function, name",
    [(center_crop_or_pad, "size"), (crop_to_acquired, "extent")],
)
@pytest.mark.parametrize("size", [4, (4,), (0, 4), (4.0, 4), (4, 4, 4)])
def test_invalid_sizes(function, name, size):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        function(np.ones((8, 8)), size)


def test_other_invalid_arguments():
    with pytest.raises(ValueError, match=r"`extent`.*\(8, 8\).*\(9, 4\)"):
        crop_to_acquired(np.ones((8, 8)), (9, 4))
    for shape in ((8,), (0, 8, 8)):
        with pytest.raises(ValueError, match="`images`"):
            center_crop_or_pad(np.ones(shape), (4, 4))
