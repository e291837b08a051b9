import keras
import numpy as np
import pytest

from loupe_tf.layers import RescaleBelow, RescaleProbMap
from loupe_tf.masks import calibration_region


def numpy_of(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture
def ceiling(rng):
    array = rng.uniform(0.2, 0.9, (9, 10)).astype("float32")
    array[calibration_region((9, 10), 3)] = 1
    return array


def test_layer(check_layer, rng, ceiling):
    prob = rng.uniform(size=(1, 9, 10, 1)).astype("float32")
    check_layer(RescaleBelow(0.4, ceiling, (2, 3)), prob)


@pytest.mark.parametrize("mean", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("sparsity", [0.15, 0.3, 0.5])
def test_has_the_mean_and_the_ceiling(rng, ceiling, sparsity, mean):
    prob = rng.beta(mean, 1 - mean, (1, 9, 10, 1)).astype("float32")
    found = numpy_of(RescaleBelow(sparsity, ceiling, 3)(prob))[0, ..., 0]
    np.testing.assert_allclose(found.mean(), sparsity, rtol=1e-5)
    assert (found <= ceiling + 1e-6).all() and found.min() >= -1e-6
    region = calibration_region((9, 10), 3)
    assert (found[region] == 1).all()
    # The share of the ceiling keeps the order of the given probabilities.
    share = (found / ceiling)[~region]
    order = np.argsort(prob[0, ..., 0][~region])
    assert (np.diff(share[order]) >= -1e-6).all()


@pytest.mark.parametrize("calibration", [None, 3])
def test_without_a_ceiling_is_equation_5(rng, calibration):
    prob = rng.uniform(size=(1, 9, 10, 1)).astype("float32")
    ones = np.ones((9, 10))
    np.testing.assert_allclose(
        numpy_of(RescaleBelow(0.3, ones, calibration)(prob)),
        numpy_of(RescaleProbMap(0.3, calibration)(prob)),
        atol=1e-6,
    )


def test_a_ceiling_of_the_budget_leaves_no_choice(rng):
    ceiling = np.full((6, 8), 0.25)
    prob = rng.uniform(size=(1, 6, 8, 1)).astype("float32")
    found = numpy_of(RescaleBelow(0.25, ceiling)(prob))
    np.testing.assert_allclose(found, 0.25, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_gradient_is_finite_at_every_corner(gradient, ceiling, value):
    layer = RescaleBelow(0.3, ceiling, 3)
    prob = np.full((1, 9, 10, 1), value, "float32")
    weight = np.arange(90, dtype="float32").reshape(prob.shape)
    weight = keras.ops.convert_to_tensor(weight)
    slope = gradient(lambda p: keras.ops.sum(layer(p) * weight), prob)
    assert np.isfinite(slope).all() and np.abs(slope).max() > 0


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"sparsity": 0.6}, "`sparsity`.*below the sum of the ceiling"),
        ({"sparsity": 0.01, "calibration": 3}, "`sparsity`.*calibration"),
        ({"sparsity": (0.4, 0.2)}, "`sparsity`.*one number"),
        (
            {"calibration": 5},
            "`calibration`.*`probability` of.*or calibration=None",
        ),
        ({"ceiling": np.full((9, 10), 2.0)}, "`ceiling`.*in \\[0, 1\\]"),
        ({"ceiling": np.ones(9)}, "`ceiling`.*shape \\(9,\\)"),
    ],
)
def test_refuses_invalid_arguments(arguments, expected):
    ceiling = np.full((9, 10), 0.5)
    ceiling[calibration_region((9, 10), 3)] = 1
    with pytest.raises(ValueError, match=expected):
        RescaleBelow(**{"sparsity": 0.3, "ceiling": ceiling, **arguments})
