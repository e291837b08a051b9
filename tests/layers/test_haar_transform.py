import keras
import numpy as np
import pytest

from loupe_tf.layers import HaarTransform


def _numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.mark.parametrize("inverse", [False, True])
def test_layer(check_layer, rng, inverse):
    x = rng.normal(size=(2, 4, 6, 8)).astype("float32")
    layer = HaarTransform(inverse=inverse)
    check_layer(layer, x)
    assert layer.get_config()["inverse"] == inverse


def test_against_its_equations(rng):
    x = rng.normal(size=(2, 4, 6, 3)).astype("float32")
    a, b = x[:, ::2, ::2], x[:, ::2, 1::2]
    c, d = x[:, 1::2, ::2], x[:, 1::2, 1::2]
    bands = [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]
    expected = np.concatenate(bands, axis=-1) / 2
    np.testing.assert_allclose(_numpy(HaarTransform()(x)), expected, atol=1e-6)


def test_orthonormal(rng):
    """Inverse and adjoint are the same, and norms are kept."""
    x = rng.normal(size=(1, 6, 4, 2)).astype("float32")
    y = rng.normal(size=(1, 3, 2, 8)).astype("float32")
    bands = _numpy(HaarTransform()(x))
    back = HaarTransform(inverse=True)
    np.testing.assert_allclose(_numpy(back(bands)), x, atol=1e-6)
    np.testing.assert_allclose(_numpy(HaarTransform()(back(y))), y, atol=1e-6)
    np.testing.assert_allclose(
        np.vdot(bands, y), np.vdot(x, _numpy(back(y))), rtol=1e-5
    )
    np.testing.assert_allclose(
        np.linalg.norm(bands), np.linalg.norm(x), rtol=1e-6
    )


def test_sizes_that_are_not_known(rng):
    inputs = keras.Input((None, None, 2))
    bands = HaarTransform()(inputs)
    assert bands.shape == (None, None, None, 8)
    model = keras.Model(inputs, HaarTransform(inverse=True)(bands))
    assert model.output.shape == (None, None, None, 2)
    x = rng.normal(size=(1, 4, 6, 2)).astype("float32")
    found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, x, atol=1e-6)


@pytest.mark.parametrize(
    "inverse, shape, match",
    [
        (False, (1, 5, 4, 1), r"even H and W.*\(1, 5, 4, 1\)"),
        (False, (1, 4, 5, 1), r"even H and W.*\(1, 4, 5, 1\)"),
        (True, (1, 4, 4, 6), r"that 4 divides.*\(1, 4, 4, 6\)"),
    ],
)
def test_wrong_shape(inverse, shape, match):
    with pytest.raises(ValueError, match=f"`inputs`.*{match}"):
        HaarTransform(inverse=inverse)(np.zeros(shape, "float32"))


def test_wrong_dtype():
    with pytest.raises(ValueError, match="`inputs`.*floating.*int32"):
        HaarTransform()(np.zeros((1, 4, 4, 1), "int32"))
