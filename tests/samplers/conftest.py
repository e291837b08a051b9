import json

import keras
import pytest


@pytest.fixture
def stored_again():
    """`stored_again(sampler)`: one like it, by way of Keras's JSON."""
    return _stored_again


def _stored_again(sampler):
    stored = keras.saving.serialize_keras_object(sampler)
    assert stored["registered_name"] == f"loupe_tf>{type(sampler).__name__}"
    stored = json.loads(json.dumps(stored))
    again = keras.saving.deserialize_keras_object(stored)
    assert type(again) is type(sampler)
    assert again.get_config() == sampler.get_config()
    return again
