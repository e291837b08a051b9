import keras
import numpy as np

from loupe_tf.samplers import MaskInput


def test_mask_is_the_input(rng):
    sampler = MaskInput()
    image = keras.Input((2, 16, 18, 2))
    (mask,) = sampler.inputs((16, 18))
    assert (mask.name, mask.shape) == ("mask_input", (None, 16, 18, 1))
    assert mask.dtype == "float32"
    model = keras.Model([image, mask], sampler(image, mask))
    given = (rng.random((3, 16, 18, 1)) < 0.5).astype("float32")
    x = np.zeros((3, 2, 16, 18, 2), "float32")
    got = keras.ops.convert_to_numpy(model([x, given]))
    np.testing.assert_array_equal(got, given)


def test_stored_and_made_again(stored_again):
    stored_again(MaskInput())
