import numpy as np
import pytest

from loupe_tf import reconstruction
from loupe_tf.numpy_fourier import fft2c, ifft2c

SIZES = [(16, 8), (15, 8), (16, 7), (9, 9)]


@pytest.mark.parametrize("many, few", SIZES)
def test_adjoint_and_right_inverse(rng, many, few):
    def draw(rows):
        return rng.normal(size=(3, rows, 5)) + 1j * rng.normal(size=(rows, 5))

    x, y = draw(many), draw(few)
    cropped = reconstruction.crop_readout(x, few)
    padded = reconstruction.pad_readout(y, many)
    assert cropped.shape == (3, few, 5) and padded.shape == (3, many, 5)
    assert np.vdot(cropped, y) == pytest.approx(np.vdot(x, padded), abs=1e-4)
    again = reconstruction.crop_readout(padded, few)
    np.testing.assert_allclose(again, y, atol=1e-5)


@pytest.mark.parametrize("many, few", SIZES)
def test_the_image_is_cropped(rng, many, few):
    image = rng.normal(size=(many, 6))
    first = many // 2 - few // 2
    found = ifft2c(reconstruction.crop_readout(fft2c(image), few))
    np.testing.assert_allclose(found, image[first : first + few], atol=1e-6)


def test_columns_that_were_not_acquired_stay_zero(rng):
    kspace = rng.normal(size=(2, 8, 6)) * (np.arange(6) % 2)
    for found in (
        reconstruction.crop_readout(kspace, 4),
        reconstruction.pad_readout(kspace, 12),
    ):
        assert not found[..., ::2].any() and found[..., 1::2].all()


def test_refuses_what_is_too_large_or_too_small():
    kspace = np.zeros((8, 4))
    with pytest.raises(ValueError, match="`rows`.*at most 8"):
        reconstruction.crop_readout(kspace, 9)
    with pytest.raises(ValueError, match="`rows`.*at least 8"):
        reconstruction.pad_readout(kspace, 7)
    with pytest.raises(ValueError, match="`kspace`"):
        reconstruction.pad_readout(np.zeros(8), 8)
