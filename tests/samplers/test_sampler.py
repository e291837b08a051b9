import keras
import numpy as np
import pytest

from loupe_tf.samplers import Sampler


@keras.saving.register_keras_serializable(package="tests")
class EveryNth(Sampler):
    """What a user might write: every n-th column."""

    def __init__(self, n):
        self.n = n

    def __call__(self, reference):
        columns = np.arange(reference.shape[-2]) % self.n == 0
        return keras.ops.convert_to_tensor(columns[None, None, :, None])

    def get_config(self):
        return {"n": self.n}


def test_a_sampler_of_ones_own():
    sampler = EveryNth(3)
    assert sampler.inputs((16, 18)) == []
    assert not sampler.half_plane
    assert sampler.field_of_view is None
    mask = sampler(keras.Input((16, 18, 1)))
    assert keras.ops.convert_to_numpy(mask).sum() == 6
    stored = keras.saving.serialize_keras_object(sampler)
    again = keras.saving.deserialize_keras_object(stored)
    assert type(again) is EveryNth and again.n == 3


def test_the_base_class_samples_nothing():
    with pytest.raises(NotImplementedError):
        Sampler()(keras.Input((16, 18, 1)))
