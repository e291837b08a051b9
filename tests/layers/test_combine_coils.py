import keras
import numpy as np
import pytest

from loupe_tf.layers import CombineCoils, ExpandCoils


def _numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.fixture
def images(rng):
    return rng.normal(size=(2, 3, 5, 6, 2)).astype("float32")


def test_layer(check_layer, rng, images):
    maps = rng.normal(size=images.shape).astype("float32")
    check_layer(CombineCoils(), images, maps)
    check_layer(CombineCoils(), images, maps[:1])
    got = _numpy(CombineCoils()([images, maps]))
    unit = np.array([1, 1j])
    expected = np.sum((maps @ unit).conj() * (images @ unit), axis=1)
    np.testing.assert_allclose(got @ unit, expected, rtol=1e-5, atol=1e-5)


def test_undoes_expand_coils(rng, images):
    """Where the squares of the maps sum to 1."""
    image = rng.normal(size=(2, 5, 6, 2)).astype("float32")
    maps = images / np.sqrt(np.sum(images**2, axis=(1, 4), keepdims=True))
    back = CombineCoils()([ExpandCoils()([image, maps]), maps])
    np.testing.assert_allclose(_numpy(back), image, rtol=1e-4, atol=1e-5)


def test_any_number_of_coils(images):
    inputs = [keras.Input((None, 5, 6, 2)) for _ in range(2)]
    model = keras.Model(inputs, CombineCoils()(inputs))
    assert model.output.shape == (None, 5, 6, 2)
    ones = np.ones_like(images) * np.float32([1, 0])
    for coils in (1, 3):
        got = model.predict([images[:, :coils], ones[:, :coils]], verbose=0)
        expected = images[:, :coils].sum(axis=1)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "shape", [(2, 3, 5, 7, 2), (2, 2, 5, 6, 2), (2, 1, 5, 6, 2), (2, 5, 6, 2)]
)
def test_maps_that_do_not_fit(images, shape):
    with pytest.raises(ValueError, match="`inputs`.*map"):
        CombineCoils()([images, np.ones(shape, "float32")])


def test_wrong_dtype(images):
    with pytest.raises(ValueError, match="`images`.*complex64"):
        CombineCoils()([images.astype("complex64"), images])
    with pytest.raises(ValueError, match="`maps`.*int32"):
        CombineCoils()([images, images.astype("int32")])
