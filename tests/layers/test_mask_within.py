import keras
import numpy as np
import pytest

from loupe_tf.layers import MaskWithin, ThresholdRandomMask
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.masks import bands, binarize, calibration_region

SHAPE = (16, 18)


def numpy_of(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture
def prob(rng):
    """Probabilities with a mean of 0.25, and 1 in the calibration region."""
    values = rng.uniform(0.02, 0.4, SHAPE)
    region = calibration_region(SHAPE, 4)
    values[region] = 0
    values *= (0.25 * values.size - region.sum()) / values.sum()
    values[region] = 1
    return values[None, ..., None].astype("float32")


@pytest.fixture
def within():
    """Bands at six angles."""
    return bands(SHAPE, 3, 6, calibration=4)[..., None].astype("float32")


@pytest.mark.parametrize("chance", [None, np.full(SHAPE, 0.5)])
def test_layer(check_layer, prob, within, chance):
    layer = MaskWithin(0.25, chance, calibration=4, seed=0)
    check_layer(layer, prob, within)


@pytest.mark.parametrize(
    "estimator",
    [name for name, each in ESTIMATORS.items() if not each.needs_budget],
)
@pytest.mark.parametrize("chance", [None, np.full(SHAPE, 0.5)])
def test_stays_within(prob, within, estimator, chance):
    layer = MaskWithin(0.25, chance, calibration=4, estimator=estimator, seed=0)
    within[0] = 0  # A scan that has acquired nothing.
    mask = numpy_of(layer([prob, within], training=True))
    assert (mask[within == 0] == 0).all()
    region = calibration_region(SHAPE, 4)[None, ..., None]
    assert (mask[1:][np.broadcast_to(region, mask[1:].shape)] == 1).all()
    assert np.isfinite(mask).all()
    assert np.isin(mask, (0, 1)).all() == ESTIMATORS[estimator].binary


def test_counts_the_budget_in_the_band(prob, within):
    layer = MaskWithin(0.25, calibration=4, seed=0)
    layer([prob, within])
    given = (
        numpy_of(layer._given(prob, keras.ops.convert_to_tensor(within)))
        * within
    )
    given[:, calibration_region(SHAPE, 4)] = 1
    np.testing.assert_allclose(given.mean(axis=(1, 2, 3)) * 3, 0.25, rtol=1e-5)
    # So do the draws, up to their variance.
    many = np.repeat(within, 200, axis=0)
    layer = MaskWithin(
        0.25, calibration=4, estimator="straight_through", seed=0
    )
    mask = numpy_of(layer([prob, many], training=True))
    share = mask.sum(axis=(1, 2, 3)) / many.sum(axis=(1, 2, 3))
    deviation = share.std() / np.sqrt(share.size)
    assert abs(share.mean() - 0.25) < 3.5 * deviation


def test_all_of_kspace_is_the_threshold(prob):
    """Without a limit, a realization is that of the parent class."""
    everything = np.ones((3, *SHAPE, 1), "float32")
    for chance in (None, np.ones(SHAPE)):
        layer = MaskWithin(0.25, chance, calibration=4, seed=0)
        parent = ThresholdRandomMask(sparsity=0.25, calibration=4, seed=0)
        for training in (True, False):
            np.testing.assert_allclose(
                numpy_of(layer([prob, everything], training=training)),
                numpy_of(parent([prob, everything], training=training)),
                atol=1e-3,  # The slope of 200 magnifies what P is off by.
            )


@pytest.mark.parametrize(
    "estimator",
    [name for name, each in ESTIMATORS.items() if not each.needs_budget],
)
@pytest.mark.parametrize("chance", [None, np.full(SHAPE, 0.5)])
@pytest.mark.parametrize("per_example", [True, False])
def test_examples_may_share_a_draw(prob, estimator, chance, per_example):
    options = {"estimator": estimator, "per_example": per_example, "seed": 0}
    layer = MaskWithin(0.25, chance, **options)
    everything = np.ones((3, *SHAPE, 1), "float32")
    mask = numpy_of(layer([prob, everything], training=True))
    assert mask.shape == everything.shape
    assert (mask == mask[:1]).all() == (not per_example)


def test_inference_has_one_mask_of_exactly_the_budget(prob, within):
    layer = MaskWithin(0.25, calibration=4)
    masks = numpy_of(layer([prob, within]))
    assert (masks == masks[:1]).all()
    assert masks[0].sum() == 16 * 18 // 4


def test_inference_compares_shares_of_the_chance(rng, prob):
    share = rng.uniform(0.1, 0.9, SHAPE).astype("float32")
    chance = rng.uniform(0.2, 1, SHAPE).astype("float32")
    layer = MaskWithin(0.25, chance, slope=5.0)
    prob = (share * chance)[None, ..., None]
    mask = numpy_of(layer([prob, np.ones((1, *SHAPE, 1), "float32")]))
    assert np.array_equal(mask[0, ..., 0] == 1, binarize(share, 4))


def test_acquires_each_entry_with_its_probability(rng, prob):
    """An entry within by chance C and then taken by P / C: together P."""
    chance = np.maximum(rng.uniform(0.4, 1, SHAPE), prob[0, ..., 0])
    within = rng.random((2000, *SHAPE)) < chance
    layer = MaskWithin(0.25, chance, estimator="straight_through", seed=0)
    found = numpy_of(
        layer([prob, within[..., None].astype("float32")], training=True)
    ).mean(axis=0)
    expected = prob[0].astype("float64")
    deviation = np.sqrt(expected * (1 - expected) / len(within)) + 1e-9
    z = (found - expected) / deviation
    assert abs(z.mean()) < 3.5 / np.sqrt(z.size) and np.abs(z).max() < 5


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"estimator": "gumbel_topk"}, "`estimator`"),
        ({"sparsity": (0.5, 0.25)}, "`sparsity`"),
        ({"half_plane": True}, "`half_plane`"),
        ({"chance": np.full(SHAPE, 1.5)}, "`chance`"),
    ],
)
def test_refuses_invalid_arguments(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        MaskWithin(**{"sparsity": 0.25, **arguments})


def test_refuses_what_does_not_fit(prob, within):
    with pytest.raises(ValueError, match="`within`"):
        MaskWithin(0.25)([prob, within[:, :5]])
    with pytest.raises(ValueError, match="`chance`"):
        MaskWithin(0.25, np.ones((3, 3)))([prob, within])
