import keras
import numpy as np
import pytest

from loupe_tf.layers import ThresholdRandomMask
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.masks import half_plane, mirrored

BINARY = [name for name, each in ESTIMATORS.items() if each.binary]


def _numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def _layer(**arguments):
    return ThresholdRandomMask(**{"sparsity": 0.25, "seed": 0, **arguments})


@pytest.fixture
def prob(rng):
    return rng.uniform(size=(1, 9, 11, 1)).astype("float32")


@pytest.fixture
def reference():
    return np.zeros((4, 9, 11, 1), "float32")


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_layer(check_layer, prob, reference, estimator):
    check_layer(_layer(estimator=estimator), prob, reference)
    check_layer(_layer(estimator=estimator), prob)


@pytest.mark.parametrize("slope", [1.0, 20.0, 1e5])
def test_relaxed_is_equation_6(prob, reference, slope):
    layer = _layer(slope=slope)
    mask = _numpy(layer([prob, reference], training=True))
    twin = keras.random.SeedGenerator(0)
    uniform = _numpy(keras.random.uniform(reference.shape, seed=twin))
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-slope * (prob.astype(float) - uniform)))
    np.testing.assert_allclose(mask, expected, rtol=1e-4, atol=1e-5)


def test_concrete_is_the_binary_concrete_distribution(prob, reference):
    mask = _numpy(
        _layer(estimator="concrete", slope=2.0)(
            [prob, reference], training=True
        )
    )
    twin = keras.random.SeedGenerator(0)
    uniform = _numpy(keras.random.uniform(reference.shape, seed=twin))
    logits = np.log(prob / (1 - prob)) - np.log(uniform / (1 - uniform))
    np.testing.assert_allclose(mask, 1 / (1 + np.exp(-2 * logits)), rtol=1e-3)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_realizations_follow_the_probabilities(estimator):
    prob = np.tile(np.float32([0.05, 0.2, 0.5, 0.85]), 25)
    prob = prob.reshape(1, 10, 10, 1)
    reference = np.zeros((2000, 10, 10, 1), "float32")
    layer = _layer(estimator=estimator, slope=1e4, sparsity=float(prob.mean()))
    mask = _numpy(layer([prob, reference], training=True))
    mean = mask.mean(axis=0).reshape(25, 4).mean(axis=0)
    # Taking exactly k of them bends the probabilities a little.
    atol = 0.02 if ESTIMATORS[estimator].needs_budget else 0.01
    np.testing.assert_allclose(mean, [0.05, 0.2, 0.5, 0.85], atol=atol)


@pytest.mark.parametrize("estimator", BINARY)
def test_binary_estimators_are_exactly_binary(prob, reference, estimator):
    mask = _numpy(
        _layer(estimator=estimator, slope=7.0)([prob, reference], training=True)
    )
    assert set(np.unique(mask)) == {0.0, 1.0}


@pytest.mark.parametrize("calibration", [None, 4])
def test_gumbel_topk_has_the_budget_in_every_realization(
    prob, reference, calibration
):
    layer = _layer(estimator="gumbel_topk", calibration=calibration)
    mask = _numpy(layer([prob, reference], training=True))
    assert (mask.sum(axis=(1, 2, 3)) == round(99 / 4)).all()
    if calibration:
        assert (mask[:, 2:6, 3:7] == 1).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("slope", [1.0, 1e5])
def test_gradient_is_finite_at_every_corner(gradient, estimator, value, slope):
    layer = _layer(estimator=estimator, slope=slope)
    prob = np.full((1, 8, 8, 1), value, "float32")
    layer(prob)
    weight = np.arange(64, dtype="float32").reshape(prob.shape)
    result = gradient(
        lambda p: keras.ops.sum(
            keras.ops.multiply(layer(p, training=True), weight)
        ),
        prob,
    )
    assert np.isfinite(result).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradient_raises_what_is_worth_it(gradient, estimator):
    """No realization falls, and among many each entry rises in one."""
    layer = _layer(estimator=estimator, slope=ESTIMATORS[estimator].slope)
    prob = np.full((1, 8, 8, 1), 0.3, "float32")
    layer(prob)

    def gradient_of(number):
        reference = np.zeros((number, 8, 8, 1), "float32")
        return gradient(
            lambda p: keras.ops.sum(layer([p, reference], training=True)), prob
        )

    assert (gradient_of(1) >= 0).all() and (gradient_of(128) > 0).all()


def test_inference_takes_the_most_probable_ties_by_index():
    prob = np.float32([[0.5, 0.9, 0.5], [0.5, 0.1, 0.5]]).reshape(1, 2, 3, 1)
    layer = ThresholdRandomMask(sparsity=0.5)
    expected = np.float32([[1, 1, 1], [0, 0, 0]]).reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(_numpy(layer(prob)), expected)


def test_ties_go_to_the_lower_index_in_large_masks():
    prob = np.full((1, 64, 64, 1), 0.25, "float32")
    mask = _numpy(ThresholdRandomMask(sparsity=0.25)(prob)).ravel()
    assert mask[:1024].all() and not mask[1024:].any()


def test_inference_is_one_deterministic_mask(prob, reference):
    layer = _layer()
    first = _numpy(layer([prob, reference], training=False))
    second = _numpy(layer([prob, reference], training=False))
    np.testing.assert_array_equal(first, second)
    assert (first == first[:1]).all()


def test_threshold_is_the_papers_rule(prob):
    layer = _layer(binarization="threshold")
    np.testing.assert_array_equal(_numpy(layer(prob)), prob > 0.5)


@pytest.mark.parametrize("total, budget", [(2.25, 2), (2.75, 3)])
def test_without_sparsity_the_budget_is_the_expected_number(total, budget):
    prob = np.full((1, 3, 3, 1), total / 9, "float32")
    assert _numpy(ThresholdRandomMask()(prob)).sum() == budget


@pytest.mark.parametrize("binarization", ["sampled", "relaxed"])
def test_random_inference(prob, reference, binarization):
    layer = _layer(binarization=binarization, slope=5.0)
    first = _numpy(layer([prob, reference], training=False))
    second = _numpy(layer([prob, reference], training=False))
    assert np.abs(first - second).max() > 0.5
    is_binary = np.isin(first, (0, 1)).all()
    assert is_binary == (binarization == "sampled")


@pytest.mark.parametrize("per_example", [True, False])
def test_per_example(prob, reference, per_example):
    layer = _layer(per_example=per_example)
    mask = _numpy(layer([prob, reference], training=True))
    assert mask.shape == reference.shape
    assert (mask == mask[:1]).all() != per_example


def test_calibration_is_always_acquired(prob, reference):
    layer = _layer(calibration=(2, 3))
    for training in (True, False):
        mask = _numpy(layer([prob, reference], training=training))
        assert (mask[:, 3:5, 4:7] == 1).all()
    assert mask[0].sum() == round(99 / 4)


def test_same_seed_same_masks_and_each_call_other_ones(prob):
    layer, twin = _layer(seed=3), _layer(seed=3)
    first = _numpy(layer(prob, training=True))
    np.testing.assert_array_equal(first, _numpy(twin(prob, training=True)))
    assert np.abs(first - _numpy(layer(prob, training=True))).max() > 0.1


def test_slope_and_seed_state_are_saved(tmp_path, prob):
    def build():
        inputs = keras.Input(prob.shape[1:])
        return keras.Model(inputs, _layer(seed=5)(inputs))

    model = build()
    model(prob, training=True)
    model.layers[1].slope.assign(321.0)
    model.save_weights(tmp_path / "mask.weights.h5")
    expected = _numpy(model(prob, training=True))
    other = build()
    other.load_weights(tmp_path / "mask.weights.h5")
    np.testing.assert_array_equal(expected, _numpy(other(prob, training=True)))
    assert float(other.layers[1].slope) == 321.0


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"slope": 0}, "`slope`.*above 0"),
        ({"estimator": "hard"}, "`estimator`.*'relaxed'.*'hard'"),
        ({"binarization": "round"}, "`binarization`.*'exact'.*'round'"),
        ({"sparsity": 4}, r"`sparsity`.*\(0, 1\).*4"),
        (
            {"sparsity": None, "estimator": "gumbel_topk"},
            "`sparsity`.*gumbel_topk",
        ),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        ThresholdRandomMask(**arguments)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("sparsity", [0.25, (0.5, 0.25, 0.1)])
def test_index_picks_the_mask(check_layer, rng, estimator, sparsity):
    prob = np.sort(rng.uniform(size=(3, 9, 11, 1)).astype("float32"), axis=0)
    prob = prob[::-1] if isinstance(sparsity, tuple) else prob
    reference = np.zeros((6, 9, 11, 1), "float32")
    index = np.int32([2, 0, 1, 1, 2, 0])
    layer = _layer(estimator=estimator, sparsity=sparsity)
    check_layer(layer, prob, reference, index)
    every = _numpy(layer(prob))
    assert every.shape == prob.shape
    for shaped in (index, index[:, None]):
        picked = _numpy(layer([prob, reference, shaped]))
        np.testing.assert_array_equal(picked, every[index])
    # Training: the probability of its own mask, for each example.
    twin = _layer(estimator=estimator, sparsity=sparsity, slope=1e4)
    many = np.zeros((3000, 9, 11, 1), "float32")
    picks = np.arange(3000, dtype="int32") % 3
    drawn = _numpy(twin([prob, many, picks], training=True))
    # The budgets are not those of prob here.
    if not ESTIMATORS[estimator].needs_budget:
        for g in range(3):
            mean = drawn[picks == g].mean(axis=0)
            np.testing.assert_allclose(mean, prob[g], atol=0.08)


def test_several_masks_need_an_index(rng):
    prob = rng.uniform(size=(3, 9, 11, 1)).astype("float32")
    with pytest.raises(ValueError, match="index.*3 probability masks"):
        _layer()([prob, np.zeros((4, 9, 11, 1), "float32")])
    with pytest.raises(ValueError, match="`sparsity`.*3 probability masks"):
        _layer(sparsity=(0.5, 0.25))(prob)


def test_gumbel_topk_shares_the_budget_among_groups(rng):
    prob = rng.uniform(size=(3, 9, 11, 1)).astype("float32")
    prob *= np.float32([1.4, 0.4, 0.2]).reshape(3, 1, 1, 1)
    prob = np.minimum(prob, 1)
    sparsity = float(prob.mean())
    layer = _layer(estimator="gumbel_topk", sparsity=sparsity)
    drawn = _numpy(layer(prob, training=True)).sum(axis=(1, 2, 3))
    assert drawn.sum() == round(sparsity * prob.size)
    np.testing.assert_allclose(drawn, prob.sum(axis=(1, 2, 3)), atol=1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_half_plane_is_never_left(prob, reference, estimator, training):
    layer = _layer(estimator=estimator, half_plane=True, calibration=3)
    mask = _numpy(layer([prob, reference], training=training))
    half = half_plane((9, 11))
    assert not mask[:, ~half].any() and mask[:, half].any()
    assert (mask[:, half][..., 0].sum(axis=1) > 0).all()
    filled = np.maximum(mask[..., 0], mirrored(mask[..., 0]))
    assert (filled[:, 3:6, 4:7] == 1).all()
    if not training:
        assert mask[0].sum() == round(99 / 4)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradient_is_finite_with_a_full_half_plane(gradient, estimator, value):
    half = half_plane((8, 8))
    layer = _layer(
        estimator=estimator,
        half_plane=True,
        sparsity=float(half.mean()),
        slope=2.0,
        calibration=2,
    )
    prob = np.full((1, 8, 8, 1), value, "float32")
    layer(prob)
    result = gradient(lambda p: keras.ops.sum(layer(p, training=True)), prob)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("sparsity", [0.02, (0.5, 0.02)])
def test_refuses_to_acquire_nothing(sparsity):
    number = len(sparsity) if isinstance(sparsity, tuple) else 1
    layer = ThresholdRandomMask(sparsity=sparsity)
    with pytest.raises(ValueError, match="at least one of the 18 entries"):
        layer.build((number, 1, 18, 1))
