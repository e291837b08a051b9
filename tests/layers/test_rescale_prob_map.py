import keras
import numpy as np
import pytest
from scipy import optimize, special

from loupe_tf.layers import RescaleProbMap
from loupe_tf.masks import half_plane


def _equation_5(prob, r):
    """Equation 5 of the 4S paper, in float64."""
    mean = prob.mean()
    if mean >= r:
        return r / mean * prob
    return 1 - (1 - r) / (1 - mean) * (1 - prob)


@pytest.mark.parametrize("calibration", [None, 3, (2, 3)])
def test_layer(check_layer, rng, calibration):
    prob = rng.uniform(size=(1, 7, 8, 1)).astype("float32")
    check_layer(RescaleProbMap(0.4, calibration=calibration), prob)


@pytest.mark.parametrize("sparsity", [1e-3, 1 / 13.7, 0.25, 0.5, 0.999])
@pytest.mark.parametrize("mean", [0.0, 0.05, 0.25, 0.9, 1.0])
def test_is_equation_5(rng, sparsity, mean):
    prob = np.full((1, 31, 33, 1), mean)
    if 0 < mean < 1:
        prob = rng.beta(mean, 1 - mean, size=prob.shape)
    prob = prob.astype("float32")
    rescaled = keras.ops.convert_to_numpy(RescaleProbMap(sparsity)(prob))
    np.testing.assert_allclose(
        rescaled, _equation_5(prob.astype("float64"), sparsity), atol=2e-6
    )
    np.testing.assert_allclose(rescaled.mean(), sparsity, rtol=1e-4)
    assert rescaled.min() >= -1e-6 and rescaled.max() <= 1 + 1e-6


@pytest.mark.parametrize("sparsity", [1e-6, 0.25, 1 - 1e-6])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_gradient_is_finite_at_every_corner(gradient, sparsity, value):
    layer = RescaleProbMap(sparsity)
    prob = np.full((1, 4, 4, 1), value, "float32")
    weight = np.arange(16, dtype="float32").reshape(prob.shape)
    layer(prob)
    slope = gradient(
        lambda p: keras.ops.sum(keras.ops.multiply(layer(p), weight)), prob
    )
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() > 0


@pytest.mark.parametrize("mean", [0.1, 0.9])
def test_calibration_is_inside_the_budget(rng, mean):
    prob = rng.beta(mean, 1 - mean, size=(1, 10, 12, 1)).astype("float32")
    prob[0, 0, 0] = 0
    layer = RescaleProbMap(0.3, calibration=(4, 5))
    rescaled = keras.ops.convert_to_numpy(layer(prob))
    assert (rescaled[0, 3:7, 4:9] == 1).all()
    np.testing.assert_allclose(rescaled.mean(), 0.3, rtol=1e-5)
    # Over the free entries it is equation 5 with what is left of the budget.
    free = np.ones(prob.shape, bool)
    free[0, 3:7, 4:9] = False
    expected = _equation_5(prob[free].astype("float64"), (36 - 20) / 100)
    np.testing.assert_allclose(rescaled[free], expected, atol=2e-6)


@pytest.mark.parametrize("sparsity", [0, 1, 4, -0.1, float("nan")])
def test_invalid_sparsity(sparsity):
    with pytest.raises(ValueError, match=r"`sparsity`.*\(0, 1\).*Received"):
        RescaleProbMap(sparsity)


def test_infeasible_calibration():
    layer = RescaleProbMap(0.25, calibration=6)
    with pytest.raises(ValueError, match="`calibration`.*16 of 64.*36"):
        layer.build((1, 8, 8, 1))


@pytest.mark.parametrize("mean", [0.1, 0.3, 0.9])
@pytest.mark.parametrize("calibration", [None, 3])
def test_several_sparsities_give_nested_probabilities(
    check_layer, rng, mean, calibration
):
    prob = rng.beta(mean, 1 - mean, size=(1, 10, 12, 1)).astype("float32")
    layer = RescaleProbMap((0.5, 0.25, 0.1), calibration)
    check_layer(layer, prob)
    every = keras.ops.convert_to_numpy(layer(prob))
    free = np.ones(prob.shape[1:], bool)
    if calibration:
        free[4:7, 5:8] = False  # Around DC at (5, 6).
    for r, rescaled in zip(layer.sparsity, every, strict=True):
        np.testing.assert_allclose(rescaled.mean(), r, rtol=1e-4)
        assert (rescaled[~free] == 1).all()
        left = (r * free.size - (~free).sum()) / free.sum()
        np.testing.assert_allclose(
            rescaled[free], _shifted(prob[0][free], left), atol=2e-6
        )
    assert (np.diff(every, axis=0) <= 0).all()


def _shifted(prob, r):
    """σ(logit prob + c) of mean r, in float64."""
    prob = np.clip(prob, 1e-7, np.float32(1 - 1e-7))
    logits = special.logit(prob.astype("float64"))
    c = optimize.brentq(
        lambda c: special.expit(logits + c).mean() - r, -50, 50, xtol=1e-12
    )
    return special.expit(logits + c)


def test_gradient_of_several_sparsities(gradient, rng):
    prob = rng.uniform(0.1, 0.9, size=(1, 3, 4, 1)).astype("float32")
    weight = rng.normal(size=(2, 3, 4, 1)).astype("float32")
    layer = RescaleProbMap((0.5, 0.25))
    layer(prob)
    slope = gradient(
        lambda p: keras.ops.sum(keras.ops.multiply(layer(p), weight)), prob
    )
    expected = np.zeros(prob.shape)
    for i in np.ndindex(prob.shape):
        step = np.zeros(prob.shape)
        step[i] = 1e-5
        up, down = (
            sum(
                np.sum(w.ravel() * _shifted((prob + sign * step).ravel(), r))
                for r, w in zip(layer.sparsity, weight, strict=True)
            )
            for sign in (1, -1)
        )
        expected[i] = (up - down) / 2e-5
    np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-4)


def test_several_sparsities_with_nothing_left_to_choose(rng):
    prob = rng.uniform(size=(1, 6, 8, 1)).astype("float32")
    half = half_plane((6, 8))  # All of it, and then its calibration alone.
    required = half.copy()
    required[:2] = required[5:] = False
    required[:, :2] = required[:, 7:] = False
    sparsities = half.mean(), required.sum() / half.size
    layer = RescaleProbMap(sparsities, calibration=(3, 5), half_plane=True)
    every = keras.ops.convert_to_numpy(layer(prob))[..., 0]
    np.testing.assert_allclose(every, [half, required], atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_several_sparsities_of_one_probability(gradient, value):
    layer = RescaleProbMap((0.5, 0.25))
    prob = np.full((1, 4, 4, 1), value, "float32")
    every = keras.ops.convert_to_numpy(layer(prob))
    np.testing.assert_allclose(every[0], 0.5, atol=1e-6)
    np.testing.assert_allclose(every[1], 0.25, atol=1e-6)
    weight = np.arange(32, dtype="float32").reshape(2, 4, 4, 1)
    slope = gradient(
        lambda p: keras.ops.sum(keras.ops.multiply(layer(p), weight)), prob
    )
    assert np.isfinite(slope).all()


def test_groups_share_the_sparsity(check_layer, rng):
    prob = rng.uniform(size=(3, 7, 8, 1)).astype("float32")
    prob[1] /= 4
    layer = RescaleProbMap(0.2, calibration=2)
    check_layer(layer, prob)
    rescaled = keras.ops.convert_to_numpy(layer(prob))
    np.testing.assert_allclose(rescaled.mean(), 0.2, rtol=1e-5)
    assert rescaled[1].mean() < 0.15
    assert (rescaled[:, 2:4, 3:5] == 1).all()


@pytest.mark.parametrize("shape", [(6, 8), (7, 9), (1, 8), (7, 1)])
def test_half_plane(check_layer, rng, shape):
    prob = rng.uniform(size=(1, *shape, 1)).astype("float32")
    layer = RescaleProbMap(0.4, half_plane=True)
    check_layer(layer, prob)
    rescaled = keras.ops.convert_to_numpy(layer(prob))
    assert not rescaled[0, ~half_plane(shape)].any()
    np.testing.assert_allclose(rescaled.mean(), 0.4, rtol=1e-5)
    full = half_plane(shape).mean()  # Nothing is left to choose.
    rescaled = RescaleProbMap(full, half_plane=True)(prob)
    rescaled = keras.ops.convert_to_numpy(rescaled)[0, ..., 0]
    np.testing.assert_allclose(rescaled, half_plane(shape), rtol=1e-6)


@pytest.mark.parametrize(
    "arguments, shape, match",
    [
        ({"sparsity": (0.25, 0.5)}, (1, 8, 8, 1), "`sparsity`.*falling"),
        ({"sparsity": (0.5, 0.49)}, (1, 1, 8, 1), r"`sparsity`.*\[4, 4\]"),
        ({"sparsity": (0.5, 0.25)}, (2, 8, 8, 1), "2 probability masks"),
        (
            {"sparsity": (0.5, 0.1), "calibration": 3},
            (1, 8, 8, 1),
            "`calibration`.*6 of 64.*9",
        ),
        (
            {"sparsity": 0.6, "half_plane": True},
            (1, 8, 8, 1),
            "`sparsity`.*34.*38",
        ),
    ],
)
def test_infeasible(arguments, shape, match):
    with pytest.raises(ValueError, match=match):
        RescaleProbMap(**arguments).build(shape)
