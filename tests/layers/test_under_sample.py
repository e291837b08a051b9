import keras
import numpy as np
import pytest

from loupe_tf import fourier
from loupe_tf.layers import FFT, IFFT, UnderSample


def _numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.fixture
def kspace(rng):
    return rng.normal(size=(2, 5, 6, 2)).astype("float32")


@pytest.mark.parametrize("shape", [(1, 5, 6, 1), (2, 1, 6, 1), (1, 5, 1, 1)])
@pytest.mark.parametrize("centered", [True, False])
def test_layer(check_layer, rng, kspace, shape, centered):
    mask = rng.integers(0, 2, size=shape).astype("float32")
    layer = UnderSample(centered=centered)
    check_layer(layer, kspace, mask)
    if not centered:
        mask = _numpy(fourier.ifftshift(mask))
        layer = UnderSample(centered=False)
        expected = kspace * mask
        got = layer([kspace, fourier.fftshift(mask)])
    else:
        expected, got = kspace * mask, layer([kspace, mask])
    np.testing.assert_array_equal(_numpy(got), expected)


def test_coils(rng):
    kspace = rng.normal(size=(2, 3, 5, 6, 2)).astype("float32")
    mask = rng.integers(0, 2, size=(2, 5, 6, 1)).astype("float32")
    got = _numpy(UnderSample()([kspace, mask]))
    np.testing.assert_array_equal(got, kspace * mask[:, None])


@pytest.mark.parametrize("training", [True, False])
def test_no_sign_leaks_from_what_is_not_acquired(kspace, training):
    mask = np.zeros((1, 5, 6, 1), "float32")
    got = _numpy(UnderSample()([kspace, mask], training=training))
    assert np.signbit(kspace).any()
    assert not np.signbit(got).any()
    assert (got == 0).all()


def test_what_is_not_acquired_may_be_nan(kspace):
    kspace[0, 0, 0] = np.nan
    mask = np.ones((1, 5, 6, 1), "float32")
    mask[0, 0, 0] = 0
    assert np.isfinite(_numpy(UnderSample()([kspace, mask]))).all()


def test_what_is_not_acquired_still_gives_the_mask_a_gradient(gradient, kspace):
    layer = UnderSample()
    mask = np.zeros((1, 5, 6, 1), "float32")
    layer([kspace, mask])
    got = gradient(
        lambda m: keras.ops.sum(layer([kspace, m], training=True)), mask
    )
    expected = kspace.sum(axis=(0, -1), keepdims=True)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("centered", [True, False])
def test_forward_and_adjoint(rng, centered):
    """⟨M F x, y⟩ = ⟨x, F* M y⟩ for odd sizes and several coils."""
    x, y = rng.normal(size=(2, 1, 3, 7, 9, 2)).astype("float32")
    mask = rng.uniform(size=(1, 7, 9, 1)).astype("float32")
    under = UnderSample(centered=centered)
    forward = under([FFT(centered=centered)(x), mask])
    adjoint = IFFT(centered=centered)(under([y, mask]))
    np.testing.assert_allclose(
        np.sum(_numpy(forward) * y), np.sum(x * _numpy(adjoint)), rtol=1e-4
    )


def test_mask_that_does_not_fit():
    with pytest.raises(ValueError, match=r"mask.*5 or 1.*\(1, 6, 6, 1\)"):
        UnderSample().build([(None, 5, 6, 2), (1, 6, 6, 1)])


@pytest.mark.parametrize("dtype", ["int32", "complex64"])
def test_wrong_dtype(dtype):
    kspace = np.zeros((1, 4, 4, 2), dtype)
    with pytest.raises(ValueError, match=f"`kspace`.*{dtype}"):
        UnderSample()([kspace, np.ones((1, 4, 4, 1), "float32")])
