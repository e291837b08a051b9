import keras
import numpy as np
import pytest

from loupe_tf.models.spatial_dropout import SpatialDropout


def _output(layer, x, training=True):
    return keras.ops.convert_to_numpy(layer(x, training=training))


def test_drops_channels_of_examples():
    layer = SpatialDropout(0.25, seed=0)
    x = np.ones((50, 3, 4, 40), "float32")
    kept = _output(layer, x)
    assert set(np.unique(kept.round(5))) == {0, np.float32(1.33333)}
    assert (kept == kept[:, :1, :1]).all()
    dropped = kept[:, 0, 0] == 0
    assert abs(dropped.mean() - 0.25) < 0.05
    assert dropped.any(axis=0).sum() > 35  # not the same in all examples
    np.testing.assert_array_equal(_output(layer, x, training=False), x)


def test_configuration():
    layer = SpatialDropout(0.25, seed=3, dtype="mixed_bfloat16", name="drop")
    twin = SpatialDropout.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert (twin.rate, twin.seed, twin.name) == (0.25, 3, "drop")
    x = np.ones((4, 2, 2, 8), "float32")
    assert twin(x, training=True).dtype == layer(x, training=True).dtype
    with pytest.raises(ValueError, match="`rate`.*below 1"):
        SpatialDropout(1)


def test_state_is_saved(tmp_path):
    x = np.ones((4, 2, 2, 8), "float32")
    models = []
    for _ in range(2):
        inputs = keras.Input((2, 2, 8))
        models.append(keras.Model(inputs, SpatialDropout(0.5)(inputs)))
    first = _output(models[0], x)
    models[0].save_weights(tmp_path / "a.weights.h5")
    models[1].load_weights(tmp_path / "a.weights.h5")
    second = _output(models[0], x)
    assert np.abs(first - second).max() > 0
    np.testing.assert_array_equal(_output(models[1], x), second)
