import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import models, posterior


def test_dropout_is_switched_on_and_off_again(rng):
    """Batch normalisation uses, and keeps, its statistics."""
    unet = models.unet(
        (8, 8, 1),
        depth=2,
        filters=4,
        dropout=0.3,
        output_initializer="glorot_uniform",
    )
    images = rng.normal(size=(2, 8, 8, 1)).astype("float32")
    before = ops.convert_to_numpy(unet(images))
    weights = [np.array(w) for w in unet.get_weights()]
    found = posterior.dropout_samples(unet, images, count=3)
    assert found.shape == (3, 2, 8, 8, 1)
    assert np.abs(found - before).max(axis=(1, 2, 3, 4)).min() > 1e-3
    assert np.abs(found[0] - found[1]).max() > 1e-3
    np.testing.assert_array_equal(ops.convert_to_numpy(unet(images)), before)
    for old, new in zip(weights, unet.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_dropout_inside_a_whole_model(rng):
    """The mask stays the one of inference."""
    model = models.loupe_model(
        (8, 8, 1),
        acceleration=2,
        depth=1,
        filters=2,
        dropout=0.5,
        seed=0,
    )
    images = rng.uniform(size=(2, 8, 8, 1)).astype("float32")
    assert posterior.dropout_samples(model, images, 2).shape == (2, 2, 8, 8, 1)


def test_an_ensemble(rng):
    images = rng.normal(size=(2, 8, 8, 1)).astype("float32")
    several = [keras.layers.Conv2D(1, 3, padding="same") for _ in range(3)]
    found = posterior.ensemble_samples(several, images)
    assert found.shape == (3, 2, 8, 8, 1)
    alone = keras.ops.convert_to_numpy(several[1](images))
    np.testing.assert_allclose(found[1], alone, atol=1e-6)


def test_models_are_checked():
    with pytest.raises(ValueError, match="`models`.*two models"):
        posterior.ensemble_samples([None], None)
    unet = models.unet((8, 8, 1), depth=1, filters=2)
    with pytest.raises(ValueError, match="`model`.*with dropout"):
        posterior.dropout_samples(unet, np.zeros((1, 8, 8, 1)))
