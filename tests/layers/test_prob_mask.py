import keras
import numpy as np
import pytest

from loupe_tf.layers import LogitUniform, ProbMask


@pytest.mark.parametrize(
    "lines, shape",
    [(None, (1, 6, 7, 1)), ("columns", (1, 1, 7, 1)), ("rows", (1, 6, 1, 1))],
)
def test_layer(check_layer, rng, lines, shape):
    layer = ProbMask(lines=lines, seed=1)
    x = rng.normal(size=(2, 6, 7, 2)).astype("float32")
    check_layer(layer, x)
    assert tuple(layer(x).shape) == shape
    assert len(layer.trainable_weights) == 1


def test_is_the_sigmoid_of_the_logits():
    layer = ProbMask(slope=5.0, initializer="zeros")
    layer.build((None, 2, 2, 1))
    layer.logits.assign([[0.0, 0.2], [-0.2, 1.0]])
    expected = 1 / (1 + np.exp(-5 * np.array([[0.0, 0.2], [-0.2, 1.0]])))
    prob = keras.ops.convert_to_numpy(layer(np.zeros((1, 2, 2, 1), "float32")))
    np.testing.assert_allclose(prob[0, ..., 0], expected, rtol=1e-5)


def test_initial_probabilities_are_uniform():
    layer = ProbMask(seed=0)
    prob = np.asarray(
        keras.ops.convert_to_numpy(layer(np.zeros((1, 100, 100, 1))))
    )
    assert prob.min() > 0.009 and prob.max() < 0.991
    np.testing.assert_allclose(
        np.quantile(prob, [0.1, 0.5, 0.9]), [0.108, 0.5, 0.892], atol=0.02
    )


def test_same_seed_same_mask():
    x = np.zeros((1, 8, 8, 1), "float32")
    first, second, other = (
        keras.ops.convert_to_numpy(ProbMask(seed=seed)(x)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0.1


def test_nan_in_an_image_does_not_reach_the_mask():
    x = np.full((1, 8, 8, 1), np.nan, "float32")
    assert np.isfinite(keras.ops.convert_to_numpy(ProbMask()(x))).all()


def test_slope_is_a_plain_float_that_4s_does_not_find():
    assert type(ProbMask(slope=5).slope) is float


def test_logit_uniform_round_trips_its_config():
    config = LogitUniform(slope=3.0, eps=0.1, seed=4).get_config()
    assert LogitUniform.from_config(config).get_config() == config


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"slope": 0}, "`slope`.*above 0.*slope=0"),
        ({"lines": "both"}, "`lines`.*'columns'.*'both'"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        ProbMask(**arguments)


def test_unknown_size():
    with pytest.raises(ValueError, match="known H and W"):
        ProbMask().build((None, None, 8, 1))


def test_groups(check_layer):
    layer = ProbMask(groups=3, lines="columns", seed=0)
    x = np.zeros((2, 6, 7, 1), "float32")
    check_layer(layer, x)
    prob = keras.ops.convert_to_numpy(layer(x))
    assert prob.shape == (3, 1, 7, 1)
    assert np.abs(prob[0] - prob[1]).max() > 0.1
    with pytest.raises(ValueError, match="`groups`.*at least 1.*0"):
        ProbMask(groups=0)
