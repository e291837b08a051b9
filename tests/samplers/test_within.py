"""Samplers that draw inside a band, and inside what a scan has acquired."""

import keras
import numpy as np
import pytest

from loupe_tf import masks, models
from loupe_tf.layers import ThresholdRandomMask
from loupe_tf.samplers import WithinBand, WithinScan

SIZE = (16, 18)
PROBABILITY = np.where(masks.calibration_region(SIZE, 4), 1, 0.5)
SAMPLERS = {
    "band": WithinBand(4, calibration=4, seed=0),
    "scan": WithinScan(4, PROBABILITY, hold_out=0.2, calibration=4, seed=0),
}


def sampling(sampler, size=SIZE):
    kspace = keras.Input((None, *size, 2))
    inputs = sampler.inputs(size)
    return keras.Model([kspace, *inputs], sampler(kspace, *inputs))


@pytest.mark.parametrize("name", SAMPLERS)
def test_makes_masks_within(stored_again, name):
    model = sampling(stored_again(SAMPLERS[name]))
    within = masks.bands(SIZE, 3, 5, 4)[..., None].astype("float32")
    kspace = np.zeros((5, 2, *SIZE, 2), "float32")
    drawn = keras.ops.convert_to_numpy(model([kspace, within], training=True))
    assert drawn.shape == (5, *SIZE, 1)
    assert (drawn[within == 0] == 0).all() and drawn.max() == 1
    mask = masks.from_model(model)
    assert mask.acquired == 16 * 18 // 4 and mask.calibration == 4
    assert model.get_layer("sampled_mask").slope == 20
    prob = masks.probability_from_model(model)
    np.testing.assert_allclose(prob.mean(), 0.25, rtol=1e-5)
    if name == "scan":
        assert prob[PROBABILITY < 1].max() <= 0.4 + 1e-6
        np.testing.assert_allclose(
            SAMPLERS[name].chance, np.where(PROBABILITY == 1, 1, 0.4)
        )


@pytest.mark.parametrize("lines", ["columns", "rows"])
def test_scans_of_lines(lines):
    shape = {"columns": (1, 18), "rows": (16, 1)}[lines]
    probability = np.where(masks.calibration_region(shape, 2), 1, 0.9)
    sampler = WithinScan(3, probability, calibration=2, seed=0)
    assert sampler.lines == lines
    mask = masks.from_model(sampling(sampler))
    assert mask.shape == shape and mask.lines == lines
    assert mask.acquired == round(max(shape) / 3)


def test_refuses_scans_that_do_not_fit():
    with pytest.raises(ValueError, match="`probability`.*shape"):
        sampling(WithinScan(4, np.ones((9, 9))))
    with pytest.raises(ValueError, match="`calibration`.*all scans"):
        sampling(WithinScan(4, np.full(SIZE, 0.9), calibration=4))
    with pytest.raises(ValueError, match="`sparsity`.*ceiling"):
        sampling(WithinScan(2, np.full(SIZE, 0.5), calibration=None))


def test_with_another_binarization():
    """The twin has a layer of the same class."""
    model = sampling(WithinBand(3), SIZE)
    twin = models.with_binarization(model, "threshold")
    one, other = (
        next(x for x in each.layers if isinstance(x, ThresholdRandomMask))
        for each in (model, twin)
    )
    assert type(other) is type(one) is not ThresholdRandomMask
    assert other.binarization == "threshold"
