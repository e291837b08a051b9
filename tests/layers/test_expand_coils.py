import keras
import numpy as np
import pytest

from loupe_tf.layers import FFT, IFFT, CombineCoils, ExpandCoils, UnderSample
from loupe_tf.reconstruction import adjoint, forward


def _numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def _complex(x):
    return _numpy(x) @ np.array([1, 1j])


@pytest.fixture
def maps(rng):
    return rng.normal(size=(2, 3, 7, 9, 2)).astype("float32")


@pytest.fixture
def image(rng):
    return rng.normal(size=(2, 7, 9, 2)).astype("float32")


@pytest.fixture
def mask(rng):
    return rng.integers(0, 2, size=(1, 7, 9, 1)).astype("float32")


def test_layer(check_layer, image, maps):
    check_layer(ExpandCoils(), image, maps)
    check_layer(ExpandCoils(), image, maps[:1])


def _forward(image, mask, maps):
    kspace = FFT()(ExpandCoils()([image, maps]))
    return UnderSample()([kspace, mask])


def test_forward_is_that_of_the_reconstructions(image, mask, maps):
    got = _complex(_forward(image, mask, maps))
    for x, y, s in zip(_complex(image), got, _complex(maps)):
        expected = forward(x, mask[0, ..., 0], s)
        np.testing.assert_allclose(y, expected, atol=1e-5)


def test_adjoint_is_that_of_the_reconstructions(rng, mask, maps):
    kspace = rng.normal(size=maps.shape).astype("float32")
    measured = UnderSample()([kspace, mask])
    got = _complex(CombineCoils()([IFFT()(measured), maps]))
    for x, y, s in zip(got, _complex(kspace), _complex(maps)):
        expected = adjoint(y, mask[0, ..., 0], s)
        np.testing.assert_allclose(x, expected, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_forward_and_adjoint(rng, image, maps, batch):
    """⟨M F S x, y⟩ = ⟨x, Sᴴ Fᴴ M y⟩ for odd sizes and a soft mask."""
    maps = maps[:batch]
    mask = rng.uniform(size=(2, 7, 9, 1)).astype("float32")
    y = rng.normal(size=(2, 3, 7, 9, 2)).astype("float32")
    back = CombineCoils()([IFFT()(UnderSample()([y, mask])), maps])
    np.testing.assert_allclose(
        np.vdot(_complex(_forward(image, mask, maps)), _complex(y)),
        np.vdot(_complex(image), _complex(back)),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    "shape", [(2, 3, 7, 8, 2), (2, 3, 7, 9, 1), (2, 7, 9, 2)]
)
def test_maps_that_do_not_fit(image, shape):
    with pytest.raises(ValueError, match="`inputs`.*maps"):
        ExpandCoils()([image, np.ones(shape, "float32")])


def test_wrong_dtype(image, maps):
    with pytest.raises(ValueError, match="`maps`.*complex64"):
        ExpandCoils()([image, maps.astype("complex64")])
    with pytest.raises(ValueError, match="`image`.*int32"):
        ExpandCoils()([image.astype("int32"), maps])


def test_one_coil_needs_no_maps(image):
    """It sees the image as it is."""
    found = ExpandCoils()(image)
    assert found.shape == (image.shape[0], 1, *image.shape[1:])
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(CombineCoils()([found])), image
    )
    with pytest.raises(ValueError, match="`inputs`.*several coils"):
        CombineCoils()(np.ones((2, 3, 4, 4, 2), "float32"))
