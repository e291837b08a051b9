import numpy as np
import pytest
from keras import ops

from loupe_tf import numpy_operators
from loupe_tf.layers import FillMirror
from loupe_tf.masks import half_plane
from loupe_tf.numpy_fourier import fft2c


def channels(x):
    return np.stack([x.real, x.imag], axis=-1).astype(np.float32)


def fill(kspace, mask):
    """Of one example and one coil, on complex arrays."""
    given = mask[None, ..., None].astype(np.float32)
    filled, known = FillMirror()([channels(kspace)[None, None], given])
    filled = ops.convert_to_numpy(filled)[0, 0] @ np.array([1, 1j])
    return filled, ops.convert_to_numpy(known)[0, ..., 0]


@pytest.mark.parametrize("size", [(16, 18), (15, 16), (7, 9)])
@pytest.mark.parametrize("lines", [False, True])
def test_a_real_image_is_known_from_half(rng, size, lines):
    kspace = fft2c(rng.uniform(size=size))
    half = half_plane((1, size[1]) if lines else size)
    filled, known = fill(np.where(half, kspace, 0), half)
    np.testing.assert_allclose(filled, kspace, atol=1e-5)
    assert (known == 1).all()


@pytest.mark.parametrize("size", [(16, 18), (15, 16)])
def test_any_mask_as_in_numpy(rng, size):
    """What is filled already stays as it is."""
    mask = rng.uniform(size=size) < 0.4
    image = rng.normal(size=size) + 1j * rng.normal(size=size)
    kspace = np.where(mask, fft2c(image), 0)
    filled, known = fill(kspace, mask)
    expected, both = numpy_operators.fill_mirror(kspace, mask)
    np.testing.assert_allclose(filled, expected, atol=1e-6)
    np.testing.assert_array_equal(known, both)
    again, known = fill(filled, known)
    np.testing.assert_allclose(again, filled, atol=1e-6)
    np.testing.assert_array_equal(known, both)


@pytest.mark.parametrize("shape", [(16, 18), (1, 18), (16, 1)])
def test_relaxed_masks_of_a_half_plane(rng, shape):
    """What is acquired in part is filled in part, and DC is not touched."""
    half = half_plane(shape)
    mask = rng.uniform(size=half.shape) * half
    kspace = fft2c(rng.uniform(size=(16, 18)))
    filled, known = fill(mask * kspace, mask)
    shift = [1 - n % 2 for n in shape]
    mirror = np.roll(np.flip(mask, (0, 1)), shift, (0, 1))
    expected = np.broadcast_to(np.where(half, mask, mirror), kspace.shape)
    np.testing.assert_allclose(known, expected, atol=1e-6)
    np.testing.assert_allclose(filled, expected * kspace, atol=1e-5)
