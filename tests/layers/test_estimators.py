import keras
import numpy as np
import pytest

from loupe_tf.layers import ThresholdRandomMask
from loupe_tf.layers.estimators import ESTIMATORS, Estimator
from loupe_tf.samplers import LearnedMask


@pytest.fixture
def draws(rng):
    prob, uniform = rng.uniform(0.01, 0.99, size=(2, 3, 9, 11, 1))
    return prob.astype("float32"), uniform.astype("float32")


def _largest(score):
    """The half of the scores that is largest, and where it ends."""
    score = keras.ops.convert_to_numpy(score)
    threshold = np.median(score, axis=(1, 2, 3), keepdims=True)
    hard = (score > threshold).astype("float32")
    return tuple(map(keras.ops.convert_to_tensor, (hard, threshold)))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_limits(draws, name):
    """All become [P > U], or the largest scores, as the slope grows."""
    estimator = ESTIMATORS[name]
    prob, uniform = draws
    tensors = map(keras.ops.convert_to_tensor, draws)
    mask = keras.ops.convert_to_numpy(estimator.draw(*tensors, 1e6, _largest))
    score = np.log(prob / (1 - prob)) - np.log(uniform / (1 - uniform))
    threshold = 0
    if estimator.needs_budget:
        threshold = keras.ops.convert_to_numpy(_largest(score)[1])
    clear = abs(score - threshold) > 1e-3
    np.testing.assert_allclose(
        mask[clear], (score > threshold)[clear], atol=1e-6
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_default_slope_is_positive(name):
    assert ESTIMATORS[name].slope > 0


@pytest.mark.parametrize("needs_budget", [True, False])
def test_a_new_one_is_added_in_one_place(monkeypatch, needs_budget):
    """It is then known to layer and sampler, and trains and is saved."""

    def draw(prob, uniform, slope, largest):
        soft = keras.ops.clip(0.5 + slope * (prob - uniform), 0, 1)
        if needs_budget:
            hard, _ = largest(prob - uniform)
            return soft + keras.ops.stop_gradient(hard - soft)
        return soft

    toy = Estimator(draw, slope=3.0, needs_budget=needs_budget)
    monkeypatch.setitem(ESTIMATORS, "toy", toy)
    sampler = LearnedMask(4, calibration=None, estimator="toy", seed=0)
    image = keras.Input((16, 18, 1))
    model = keras.Model(image, sampler(image))
    layer = model.get_layer("sampled_mask")
    assert layer.estimator == "toy"
    assert float(keras.ops.convert_to_numpy(layer.slope)) == 3.0
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    x = np.zeros((8, 16, 18, 1), "float32")
    wanted = np.tile(np.linspace(0, 1, 18)[None, None, :, None], (8, 16, 1, 1))
    before = model.evaluate(x, wanted, verbose=0)
    model.fit(x, wanted, epochs=30, verbose=0)
    assert model.evaluate(x, wanted, verbose=0) < before
    drawn = keras.ops.convert_to_numpy(model(x, training=True))
    exact = (drawn.sum(axis=(1, 2, 3)).round(3) == 72).all()
    assert exact == needs_budget
    again = keras.Model.from_config(model.get_config())
    assert again.get_layer("sampled_mask").estimator == "toy"
    if needs_budget:
        with pytest.raises(ValueError, match="`sparsity`.*'toy'"):
            ThresholdRandomMask(estimator="toy")
        with pytest.raises(ValueError, match="`estimator`.*'toy'"):
            LearnedMask(sparsity_penalty=1.0, estimator="toy")
