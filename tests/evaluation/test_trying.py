import numpy as np

from loupe_tf import evaluation, masks
from loupe_tf.datasets import Slices
from loupe_tf.evaluation.trying import left_out, try_on
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.reconstruction import ZeroFilled


def test_what_is_tried_on_one_mask(images):
    mask = masks.gaussian((16, 18), 4)
    test = Slices(images, np.repeat(["v", "w"], 4))
    found, shown = try_on(ZeroFilled(), mask, test)
    assert found == evaluation.judge(ZeroFilled(), mask, images, test.volumes)
    np.testing.assert_array_equal(shown["truth"], images[2:3])
    assert shown["output"].shape == (1, 16, 18, 1)
    found, shown = try_on(
        ZeroFilled(), mask, Slices(np.ones_like(images), test.volumes)
    )
    assert set(found["refused"]) == {"v", "w"} and shown == {}
    # Volumes may be numbers, whose names are keys of the result.
    numbers = Slices(images, np.repeat([7, 8], 4))
    _, again = try_on(ZeroFilled(), mask, numbers)
    np.testing.assert_array_equal(again["truth"], images[2:3])
    # With the k-space of other images, the truth stays.
    kspace = fft2c(images[::-1, ..., 0])
    _, other = try_on(ZeroFilled(), mask, test, kspace=kspace)
    np.testing.assert_array_equal(other["truth"], images[2:3])
    _, expected = try_on(ZeroFilled(), mask, Slices(images[::-1], test.volumes))
    np.testing.assert_allclose(other["output"], expected["output"], atol=1e-5)
    first, _ = left_out("a", found)
    assert first.startswith("a: volume v left out, ")
