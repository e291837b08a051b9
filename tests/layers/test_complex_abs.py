import keras
import numpy as np

from loupe_tf.layers import ComplexAbs, ConcatenateZero


def test_complex_abs(check_layer, rng):
    x = rng.normal(size=(2, 5, 6, 2)).astype("float32")
    check_layer(ComplexAbs(), x)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(ComplexAbs()(x))[..., 0],
        np.hypot(x[..., 0], x[..., 1]),
        rtol=1e-5,
    )


def test_gradient_of_zero_is_zero(gradient):
    x = np.float32([[0, 0], [3, 4]])
    got = gradient(lambda x: keras.ops.sum(ComplexAbs()(x)), x)
    np.testing.assert_allclose(got, [[0, 0], [0.6, 0.8]], rtol=1e-5)


def test_concatenate_zero(check_layer, rng):
    x = rng.normal(size=(2, 5, 6, 1)).astype("float32")
    check_layer(ConcatenateZero(), x)
    x[0, 0, 0] = np.nan
    y = keras.ops.convert_to_numpy(ConcatenateZero()(x))
    np.testing.assert_array_equal(y[..., :1], x)
    assert (y[..., 1] == 0).all()
