import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.samplers import LearnedMask


def _build(sampler, size=(16, 18)):
    image = keras.Input((*size, 1), name="input")
    inputs = sampler.inputs(size)
    return keras.Model([image, *inputs], sampler(image, *inputs))


def test_layers_have_the_names_of_the_original():
    model = _build(LearnedMask(4))
    assert [layer.name for layer in model.layers] == [
        "input",
        "prob_mask",
        "prob_mask_scaled",
        "sampled_mask",
    ]


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({"acceleration": (4, 8)}, "acceleration_index"),
        ({"acceleration": 4, "groups": 2}, "group"),
    ],
)
def test_an_input_says_which_mask(arguments, name):
    (index,) = LearnedMask(**arguments).inputs((16, 18))
    assert (index.name, index.shape, index.dtype) == (name, (None,), "int32")


def test_a_half_plane_is_not_filled():
    sampler = LearnedMask(4, half_plane=True)
    assert sampler.half_plane
    mask = keras.ops.convert_to_numpy(
        _build(sampler)([np.zeros((1, 16, 18, 1), "float32")])
    )[0, ..., 0]
    assert mask.sum() == 72
    assert not (mask.astype(bool) & ~masks.half_plane((16, 18))).any()


@pytest.mark.parametrize("channels", [(1,), (2,), (5, 2)])
def test_the_reference_is_an_image_a_volume_or_kspace(channels):
    """All that is read of it is its size, and that of its batch."""
    *leading, last = channels
    reference = keras.Input((*leading, 16, 18, last))
    model = keras.Model(reference, LearnedMask(4, seed=0)(reference))
    x = np.full((3, *leading, 16, 18, last), np.nan, "float32")
    mask = keras.ops.convert_to_numpy(model(x))
    assert mask.shape == (3, 16, 18, 1)
    expected = masks.from_model(_build(LearnedMask(4, seed=0))).array
    np.testing.assert_array_equal(mask[1, ..., 0], expected)


@pytest.mark.parametrize(
    "estimator, slope",
    [
        ("relaxed", 20.0),
        ("straight_through", 12.0),
        ("concrete", 1.5),
        ("gumbel_topk", 1.0),
    ],
)
def test_slope_by_default(estimator, slope):
    assert LearnedMask(4, estimator=estimator).slope == slope


@pytest.mark.parametrize("calibration", [None, 0])
def test_no_calibration_where_none_is_asked_for(calibration):
    model = _build(LearnedMask(4, calibration=calibration), (50, 75))
    assert not model.get_layer("sampled_mask").calibration
    prob = masks.probability_from_model(model)
    assert prob.max() < 1


def test_nested_whatever_the_logits(rng):
    model = _build(LearnedMask((2, 3, 4.5, 8), calibration=3, seed=0))
    layer = model.get_layer("prob_mask")
    for scale in (0.01, 1, 20, 1000):  # The last ones saturate.
        layer.logits.assign(scale * rng.normal(size=(16, 18)))
        found = masks.from_model(model)
        assert [m.acceleration for m in found] == [2, 3, 4.5, 8]
        assert [m.acquired for m in found] == [144, 96, 64, 36]
        for larger, smaller in zip(found, found[1:]):
            assert not (smaller.array & ~larger.array).any()
        prob = masks.probability_from_model(model)
        assert (np.diff(prob, axis=0) <= 0).all()


def test_groups_share_the_budget():
    model = _build(LearnedMask(4, groups=3, calibration=2, seed=0), (15, 18))
    layer = model.get_layer("prob_mask")
    logits = np.array(keras.ops.convert_to_numpy(layer.logits))
    logits[1] += 0.5
    layer.logits.assign(logits)
    acquired = [mask.acquired for mask in masks.from_model(model)]
    assert acquired[1] > 1.5 * max(acquired[0], acquired[2])
    assert sum(acquired) == round(3 * 15 * 18 / 4)
    prob = masks.probability_from_model(model)
    np.testing.assert_allclose(prob.mean(), 1 / 4, rtol=1e-5)
    assert [m.provenance["group"] for m in masks.from_model(model)] == [0, 1, 2]


@pytest.mark.parametrize("groups", [None, 2])
def test_penalty_in_place_of_an_acceleration(groups):
    model = _build(LearnedMask(sparsity_penalty=10, groups=groups, seed=0))
    prob = masks.probability_from_model(model, "prob_mask")
    assert prob.shape == ((2, 16, 18) if groups else (16, 18))
    # Without an R there is no share of the lines.
    assert model.get_layer("sampled_mask").calibration is None
    index = [np.zeros(4, "int32")] if groups else []
    model([np.zeros((4, 16, 18, 1), "float32"), *index])
    np.testing.assert_allclose(
        float(sum(model.losses)), 10 * prob.mean(), rtol=1e-4
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"acceleration": 4},
        {"acceleration": (4, 8), "calibration": (3, 2), "seed": 3},
        {"acceleration": 4, "groups": 3, "lines": "rows", "slope": 7.0},
        {"acceleration": 4, "half_plane": True, "estimator": "gumbel_topk"},
        {"sparsity_penalty": 0.1, "binarization": "threshold"},
    ],
)
def test_stored_and_made_again(stored_again, arguments):
    sampler = LearnedMask(**arguments)
    again = stored_again(sampler)
    assert arguments.items() <= again.get_config().items()


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"acceleration": 1}, "`acceleration`.*above 1.*=1"),
        ({"acceleration": None}, "`acceleration`.*None"),
        ({"acceleration": float("nan")}, "`acceleration`.*nan"),
        ({"acceleration": True}, "`acceleration`.*True"),
        ({"acceleration": (8, 4)}, r"`acceleration`.*rising.*\(8, 4\)"),
        ({"acceleration": (4,)}, "`acceleration`.*rising"),
        ({"acceleration": (4, 4)}, "`acceleration`.*rising"),
        ({"acceleration": (1, 4)}, "`acceleration`.*above 1"),
        ({"acceleration": ((2, 3), 4)}, "`acceleration`.*above 1"),
        ({"acceleration": (4, 8), "groups": 2}, "`groups`.*share one mask"),
        ({"groups": 1}, "`groups`.*at least 2.*1"),
        ({"groups": 2.0}, "`groups`.*integer"),
        ({"lines": "both"}, "`lines`.*'columns', 'rows'.*'both'"),
        ({"calibration": "x"}, "`calibration`.*'auto'.*'x'"),
        ({"calibration": -1}, "`calibration`.*-1"),
        ({"calibration": (1, 2, 3)}, "`calibration`.*pair"),
        ({"estimator": "x"}, "`estimator`.*'relaxed'.*'x'"),
        ({"slope": 0}, "`slope`.*above 0"),
        ({"prob_slope": -1}, "`prob_slope`.*above 0"),
        ({"binarization": "x"}, "`binarization`.*'exact'.*'x'"),
        ({"seed": 0.5}, "`seed`.*integer"),
        ({"sparsity_penalty": 1.0}, "`acceleration`.*`sparsity_penalty`"),
        (
            {"acceleration": None, "sparsity_penalty": 0},
            "`sparsity_penalty`.*above 0",
        ),
        (
            {
                "acceleration": None,
                "sparsity_penalty": 1.0,
                "half_plane": True,
            },
            "`sparsity_penalty`.*half_plane",
        ),
        (
            {
                "acceleration": None,
                "sparsity_penalty": 1.0,
                "estimator": "gumbel_topk",
            },
            "`estimator`.*sparsity_penalty.*gumbel_topk",
        ),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        LearnedMask(**{"acceleration": 4, **arguments})


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"calibration": 10}, "`calibration`.*72 of 288"),
        ({"acceleration": 999}, "`acceleration`.*288 entries.*999"),
        (
            {"acceleration": (8, 8.1), "lines": "columns"},
            r"`sparsity`.*another budget.*\[2, 2\]",
        ),
        ({"acceleration": (4, 8), "calibration": 7}, "`calibration`.*36 of"),
        ({"half_plane": True, "acceleration": 1.9}, "half-plane.*152"),
    ],
)
def test_arguments_that_do_not_fit_the_size(arguments, match):
    with pytest.raises(ValueError, match=match):
        _build(LearnedMask(**{"acceleration": 4, **arguments}))
