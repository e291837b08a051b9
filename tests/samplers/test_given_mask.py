import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.samplers import GivenMask


def _mask(sampler, size=(16, 18)):
    image = keras.Input((*size, 1), name="input")
    assert sampler.inputs(size) == []
    assert not sampler.half_plane
    model = keras.Model(image, sampler(image))
    assert model.layers[-1].name == "sampled_mask"
    x = np.zeros((1, *size, 1), "float32")
    return keras.ops.convert_to_numpy(model(x))[..., 0]


@pytest.mark.parametrize("shape", [(16, 18), (1, 18), (16, 1)])
@pytest.mark.parametrize("dtype", [bool, "float32", int])
def test_mask_is_that_mask(rng, shape, dtype):
    given = rng.random(shape) < 0.5
    mask = _mask(GivenMask(given.astype(dtype)))
    np.testing.assert_array_equal(mask, [given])
    assert mask.dtype == "float32"


@pytest.mark.parametrize("field_of_view", [None, (230.0, 220.5)])
def test_stored_and_made_again(stored_again, field_of_view):
    mask = masks.uniform_random((16, 18), 4, seed=0)
    if field_of_view:
        mask = mask.replace(field_of_view=field_of_view)
    sampler = GivenMask(mask)
    assert sampler.field_of_view == field_of_view
    again = stored_again(sampler)
    assert again.field_of_view == sampler.field_of_view
    np.testing.assert_array_equal(_mask(again), [mask.array])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("given", [None, True, False])
def test_half_plane(stored_again, known, given):
    """As the mask says that it was learned, unless somebody knows better."""
    provenance = {"half_plane": True} if known else {}
    mask = masks.uniform_random((16, 18), 4, seed=0)
    sampler = GivenMask(mask.replace(provenance=provenance), half_plane=given)
    assert sampler.half_plane is (known if given is None else given)
    assert stored_again(sampler).half_plane is sampler.half_plane


def test_warns_once_of_dc_in_the_corner():
    cornered = np.fft.ifftshift(masks.gaussian((64, 64), 8, seed=0).array)
    with pytest.warns(UserWarning, match="corner") as warned:
        sampler = GivenMask(cornered)
        again = GivenMask.from_config(sampler.get_config())
        _mask(again, (64, 64))
    # A backend may have warnings of its own.
    warned = [each for each in warned if "corner" in str(each.message)]
    assert len(warned) == 1
    assert warned[0].filename == __file__


@pytest.mark.parametrize("mask", [np.ones((2, 3, 4)), np.full((4, 4), 0.5)])
def test_invalid_mask(mask):
    with pytest.raises(ValueError, match="`mask`.*two-dimensional"):
        GivenMask(mask)


def test_mask_of_another_size():
    with pytest.raises(ValueError, match=r"`mask`.*\(16, 18\).*\(4, 4\)"):
        _mask(GivenMask(np.ones((4, 4))))
