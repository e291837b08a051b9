import numpy as np
import pytest

from loupe_tf.datasets.inspecting.acquired_extent import (
    acquired_extent,
    corner_radius,
    log_power,
)
from loupe_tf.datasets.mni_brain import simulate
from loupe_tf.datasets.resize import center_crop_or_pad
from loupe_tf.numpy_fourier import fft2c, ifft2c


@pytest.fixture(scope="module")
def templates():
    return simulate.load_templates()


@pytest.fixture(scope="module")
def brain(templates):
    """`brain(size)`: magnitude images of 64×64 to 97×97, cut to the size."""
    volume = simulate.simulate_volume(templates, 0, "T2", 97, 8)

    def cut(size):
        kspace = center_crop_or_pad(fft2c(volume), size)
        return np.abs(ifft2c(kspace)).astype("float32")

    return cut


def zero_fill(images, size, window=None):
    kspace = fft2c(images)
    if window is not None:
        h, w = kspace.shape[1:]
        kspace = kspace * window(h)[:, None] * window(w)
    return ifft2c(center_crop_or_pad(kspace, size))


def find(images):
    spectrum, count = log_power(images)
    return acquired_extent(spectrum, count, np.iscomplexobj(images))


def phase(size):
    grid = np.indices(size) / size[0]
    return np.exp(1j * (2 * np.sin(4 * grid[0]) + 3 * grid[1] ** 2))


@pytest.mark.parametrize("size", [(96, 96), (97, 97), (96, 97)])
@pytest.mark.parametrize(
    "acquired", [(64, 96), (96, 70), (71, 97), (64, 80), (49, 49), (87, 87)]
)
@pytest.mark.parametrize("window", [None, np.hamming])
def test_zero_filled_magnitude(brain, size, acquired, window):
    acquired = tuple(np.minimum(acquired, size))
    images = np.abs(zero_fill(brain(acquired), size, window)).astype("float32")
    for found, true, n in zip(find(images), acquired, size):
        # Taking the magnitude hides which of two lines was the last one; and a
        # window leaves little of the last ones.
        tolerance = 3 if window else (n - true) % 2
        if true >= n - 1:
            assert found == n
        else:
            assert abs(found - true) <= tolerance


@pytest.mark.parametrize("size", [(96, 96), (97, 97)])
@pytest.mark.parametrize("acquired", [(64, 96), (71, 80), (48, 49), (90, 91)])
def test_zero_filled_complex_is_exact(brain, size, acquired):
    images = brain(acquired) * phase(acquired)
    images = zero_fill(images, size).astype("complex64")
    expected = tuple(
        n if m == 96 else m for m, n in zip(acquired, size, strict=True)
    )
    assert find(images) == expected


def test_one_side_only(brain):
    kspace = fft2c(brain((96, 96)) * phase((96, 96)))
    kspace[:, :20] = 0  # Partial Fourier: what is left reaches Nyquist.
    assert find(ifft2c(kspace)) == (96, 96)
    kspace[:, 76:] = 0
    assert find(ifft2c(kspace)) == (56, 96)
    kspace[:, 66:] = 0
    assert find(ifft2c(kspace)) == (56, 96)


@pytest.mark.parametrize("size", [33, 64, 96, 320])
@pytest.mark.parametrize("contrast", simulate.CONTRASTS)
def test_no_false_alarm_on_full_brains(templates, size, contrast):
    images = simulate.simulate_volume(templates, 0, contrast, size, 4)
    for part in (images, images[2:3], images * phase((size, size))):
        assert find(part) == (size, size)
        spectrum, count = log_power(part)
        assert corner_radius(spectrum, count, (size, size)) is None


@pytest.mark.parametrize("size", [(16, 16), (33, 40), (64, 64)])
@pytest.mark.parametrize("count", [1, 2, 16])
def test_no_false_alarm_on_noise(rng, size, count):
    for _ in range(10):
        noise = rng.normal(size=(2, count, *size))
        for images in (noise[0], noise[0] + 1j * noise[1], np.abs(noise[0])):
            assert find(images) == size
            spectrum, n = log_power(images)
            assert corner_radius(spectrum, n, size) is None


def test_no_false_alarm_on_smooth_images(rng):
    # A Gaussian of k-space that sinks slowly into white noise.
    grid = np.indices((96, 96)) - 48
    for width in (18, 22, 26, 30):
        weight = np.exp(-(grid[0] ** 2 + grid[1] ** 2) / (2 * width**2))
        noise = rng.normal(size=(8, 96, 96))
        images = ifft2c(weight * fft2c(noise)).real
        images += 0.01 * rng.normal(size=images.shape)
        assert find(images) == (96, 96)


def test_no_extent_of_nothing():
    spectrum, count = log_power(np.zeros((2, 8, 8)))
    assert count == 0 and np.isnan(spectrum).all()
    _, count = log_power(np.stack([np.zeros((8, 8)), np.ones((8, 8))]))
    assert count == 1


@pytest.mark.parametrize("size", [(96, 96), (97, 97), (96, 80)])
@pytest.mark.parametrize("acquired", [None, 64])
def test_empty_corners(brain, size, acquired):
    images = brain((96, 96) if acquired is None else (acquired, 96))
    images = np.abs(zero_fill(images, size))
    kspace = fft2c(images)
    extent = find(images)
    u, v = (2 * np.abs(np.arange(n) - n // 2) / m for n, m in zip(size, extent))
    kspace[:, np.hypot.outer(u, v) > 1] = 0
    images = np.abs(ifft2c(kspace))
    spectrum, count = log_power(images)
    # Near the axes an ellipse is not as long as its axes.
    found = acquired_extent(spectrum, count)
    assert np.abs(np.subtract(found, extent)).max() <= 2
    radii, share = corner_radius(spectrum, count, extent)
    np.testing.assert_allclose(radii, np.divide(extent, size), atol=0.05)
    assert share == pytest.approx(1 - np.pi / 4, abs=0.04)
