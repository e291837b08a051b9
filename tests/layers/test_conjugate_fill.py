import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.layers import ConjugateFill


@pytest.mark.parametrize("shape", [(5, 6), (6, 5), (4, 4), (1, 6), (5, 1)])
def test_fills_the_other_half(check_layer, rng, shape):
    half = rng.uniform(size=(3, *shape)).astype("float32")
    half *= masks.half_plane(shape)
    layer = ConjugateFill()
    check_layer(layer, half[..., None])
    got = keras.ops.convert_to_numpy(layer(half[..., None]))[..., 0]
    expected = np.maximum(half, masks.mirrored(half))
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(got, masks.mirrored(got))


def test_gradient_counts_the_mirror(gradient):
    layer = ConjugateFill()
    half = np.zeros((1, 4, 5, 1), "float32")
    layer(half)
    got = gradient(lambda x: keras.ops.sum(layer(x)), half)[0, ..., 0]
    index = np.arange(20).reshape(4, 5)
    twice = 1 + (masks.mirrored(index) != index)
    expected = np.where(masks.half_plane((4, 5)), twice, 0)
    np.testing.assert_array_equal(got, expected)
