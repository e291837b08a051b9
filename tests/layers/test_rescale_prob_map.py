import keras
import numpy as np
import pytest

from loupe_tf.layers import RescaleProbMap


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
