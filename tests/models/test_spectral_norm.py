import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.models import SpectralNorm


@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (1, 1, 9, 2), (1, 1, 2, 9)])
def test_the_largest_singular_value_is_limited(rng, shape):
    kernel = rng.normal(size=shape).astype("float32")
    matrix = kernel.reshape(-1, shape[-1])
    norm = np.linalg.norm(matrix, 2)
    found = SpectralNorm(0.5)(ops.convert_to_tensor(kernel))
    np.testing.assert_allclose(found, kernel * 0.5 / norm, rtol=1e-4)
    found = SpectralNorm(1.1 * norm)(ops.convert_to_tensor(kernel))
    np.testing.assert_array_equal(found, kernel)


def test_it_holds_in_training(rng):
    layer = keras.layers.Dense(3, kernel_constraint=SpectralNorm(0.1))
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile("sgd", "mse")
    x, y = rng.normal(size=(2, 32, 4)).astype("float32")
    model.fit(x, y[:, :3], verbose=0)
    assert np.linalg.norm(layer.get_weights()[0], 2) < 0.1001


def test_the_limit_is_checked():
    with pytest.raises(ValueError, match="`limit`"):
        SpectralNorm(0)
