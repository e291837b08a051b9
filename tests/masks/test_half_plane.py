import numpy as np
import pytest

from loupe_tf.masks import calibration_region, half_plane, mirrored
from loupe_tf.masks.half_plane import required_and_allowed

SHAPES = [(4, 6), (4, 5), (5, 4), (5, 7), (1, 6), (1, 5), (6, 1), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_mirror_is_minus_k(shape):
    k = np.stack(
        np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij")
    )
    minus = mirrored(k)
    for axis, n in enumerate(shape):
        np.testing.assert_array_equal((k[axis] + minus[axis]) % n, 0)
    np.testing.assert_array_equal(mirrored(minus), k)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_of_each_pair(shape):
    half = half_plane(shape)
    other = mirrored(half)
    assert (half | other).all()
    itself = half & other
    index = np.arange(half.size).reshape(shape)
    np.testing.assert_array_equal(itself, mirrored(index) == index)
    assert itself[shape[0] // 2, shape[1] // 2]


@pytest.mark.parametrize("shape", [(8, 9), (9, 8)])
def test_conjugate_symmetry_of_a_real_image(rng, shape):
    kspace = np.fft.fftshift(np.fft.fft2(rng.normal(size=shape)))
    np.testing.assert_allclose(kspace, np.conj(mirrored(kspace)), atol=1e-9)


@pytest.mark.parametrize("calibration", [1, 3, 4, (2, 5)])
@pytest.mark.parametrize("shape", [(8, 9), (9, 8), (8, 8)])
def test_what_is_required_fills_the_calibration_region(shape, calibration):
    required, allowed = required_and_allowed(shape, calibration, True)
    assert not (required & ~allowed).any()
    region = calibration_region(shape, calibration)
    assert (required | mirrored(required))[region].all()
    # And no more than that.
    assert (region | mirrored(region))[required].all()


def test_without_a_half_everything_is_allowed():
    required, allowed = required_and_allowed((4, 4), 2)
    assert required.sum() == 4 and allowed.all()


def test_invalid_shape():
    with pytest.raises(ValueError, match="`shape`"):
        half_plane((4, 4, 4))
