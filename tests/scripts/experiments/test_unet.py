import keras
import numpy as np
import pytest

from experiments import build_unet
from loupe_tf import masks

SETTINGS = {"filters": 2, "depth": 1, "learning_rate": 0.02}


def _build(seed, **others):
    mask = masks.gaussian((16, 18), 4)
    return build_unet(SETTINGS, (16, 18, 1), seed, mask=mask, **others)


def test_what_the_settings_say():
    model = _build(0, name="of_mine")
    assert model.name == "of_mine" and model.loss == "mse"
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert layers and all(layer.momentum == 0.9 for layer in layers)


def test_another_normalization():
    layers = list(_build(0, normalization=None)._flatten_layers())
    kinds = {type(layer) for layer in layers}
    assert keras.layers.Conv2D in kinds
    assert keras.layers.BatchNormalization not in kinds


def test_a_seed_decides_the_weights():
    same, again, other = (_build(seed).get_weights() for seed in (1, 1, 2))
    for ours, theirs in zip(same, again):
        np.testing.assert_array_equal(ours, theirs)
    assert any(np.any(a != b) for a, b in zip(same, other))
