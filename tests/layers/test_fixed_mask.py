import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.layers import FixedMask


@pytest.mark.parametrize("shape", [(5, 6), (1, 6), (5, 1)])
def test_layer(check_layer, rng, shape):
    mask = rng.integers(0, 2, size=shape)
    x = np.zeros((2, 5, 6, 1), "float32")
    check_layer(FixedMask(mask), x)
    got = keras.ops.convert_to_numpy(FixedMask(mask)(x))
    np.testing.assert_array_equal(got[0, ..., 0], mask)


def test_takes_a_sampling_mask():
    mask = masks.uniform_random((8, 8), 4)
    got = FixedMask(mask)(np.zeros((1, 8, 8, 1), "float32"))
    got = keras.ops.convert_to_numpy(got)[0, ..., 0]
    np.testing.assert_array_equal(got, mask.array)


def test_mask_that_does_not_fit():
    with pytest.raises(ValueError, match=r"`mask`.*\(8, 8\).*\(4, 4\)"):
        FixedMask(np.ones((4, 4))).build((None, 8, 8, 1))


@pytest.mark.parametrize("mask", [np.full((4, 4), 0.5), np.ones(4)])
def test_not_a_mask(mask):
    with pytest.raises(ValueError, match="`mask`.*two-dimensional"):
        FixedMask(mask)
