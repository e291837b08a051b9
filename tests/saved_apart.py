"""For tests of models with copies of a network."""

import keras
import numpy as np


def loaded_with_weights_apart(model, path):
    """Save a model and return the loaded one, no two weights of which are one.

    Args:
        model: Built Keras model or layer with `save`.
        path: Path of a `.keras` file to write.
    """
    model.save(path)
    loaded = keras.models.load_model(path)
    assert len({id(weight) for weight in loaded.weights}) == len(model.weights)
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs)
        )
    return loaded
