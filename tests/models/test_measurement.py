"""What `loupe_model` measures with a mask, in NumPy."""

import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.models import loupe_model


def _build(size, acceleration, **options):
    return loupe_model(
        (*size, 1), acceleration, reconstructor="zero_filled", seed=0, **options
    )


@pytest.mark.parametrize("size", [(16, 18), (15, 17), (16, 17), (17, 16)])
def test_whole_half_plane_is_the_whole_image(rng, size):
    half = masks.half_plane(size)
    everything = half.size / int(half.sum())
    model = _build(size, everything, half_plane=True)
    x = rng.normal(size=(4, *size, 1)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), abs(x), atol=1e-5)


@pytest.mark.parametrize("size", [(16, 18), (15, 17)])
@pytest.mark.parametrize("lines", [None, "columns", "rows"])
def test_mirrored_half_is_the_conjugate(rng, size, lines):
    """What is filled in is what a scanner's half tells, in NumPy."""
    model = _build(size, 3, half_plane=True, lines=lines)
    x = rng.normal(size=(4, *size, 1)).astype("float32")
    mask = masks.from_model(model).array
    axes = (1, 2)
    y = np.fft.fftshift(np.fft.fft2(x[..., 0], axes=axes), axes=axes)
    y = np.where(mask, y, 0)
    known = mask | masks.mirrored(mask)
    filled = np.where(mask, y, np.conj(masks.mirrored(y)))
    assert known.sum() > 1.5 * mask.sum()
    filled = np.fft.ifftshift(filled, axes=axes)
    expected = abs(np.fft.ifft2(filled, axes=axes))
    got = model.predict(x, verbose=0)[..., 0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_volume_is_measured_by_a_transform_of_three_axes(rng):
    model = _build((3, 15, 18), 4)
    x = rng.normal(size=(4, 3, 15, 18, 1)).astype("float32")
    mask = np.fft.ifftshift(masks.from_model(model).array)
    axes = (1, 2, 3)
    y = np.where(mask, np.fft.fftn(x[..., 0], axes=axes), 0)
    expected = abs(np.fft.ifftn(y, axes=axes))
    got = model.predict(x, verbose=0)[..., 0]
    np.testing.assert_allclose(got, expected, atol=1e-5)
