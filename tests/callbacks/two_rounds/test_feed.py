import keras
import numpy as np
import pytest

from loupe_tf.callbacks import ShuffledBatches
from loupe_tf.callbacks.two_rounds.feed import Feed

IMAGES = np.random.default_rng(0).uniform(size=(7, 4, 4, 1)).astype("float32")


def first_batch(feed):
    x, _ = next(iter(feed.batches))
    return keras.ops.convert_to_numpy(x)


def test_arrays_are_their_own_targets_and_shuffled():
    feed = Feed(IMAGES, IMAGES, batch_size=7, seed=1, replicas=1)
    batch = first_batch(feed)
    assert not np.array_equal(batch, IMAGES)
    np.testing.assert_array_equal(
        np.sort(batch, axis=None), np.sort(IMAGES, axis=None)
    )
    assert feed.validation_data[0] is feed.validation_data[1] is IMAGES
    assert feed.validation_batch_size == 7 and len(feed.callbacks) == 1
    assert feed.fingerprint == [[7, 4, 4, 1], IMAGES.sum(dtype="float64")]


def test_what_devices_cannot_share_is_left_out():
    feed = Feed(IMAGES, IMAGES, batch_size=4, seed=0, replicas=2)
    sizes = [len(y) for _, y in feed.batches]
    assert sizes == [4]
    assert [len(array) for array in feed.validation_data] == [6, 6]


def test_one_batch_is_enough():
    feed = Feed(IMAGES[:4], IMAGES, batch_size=4, seed=0, replicas=2)
    assert [len(y) for _, y in feed.batches] == [4]


@pytest.mark.parametrize(
    "train, validation, batch_size, match",
    [
        (IMAGES, IMAGES, 3, "`batch_size`.*multiple.*replicas, 2.*=3"),
        (IMAGES[:3], IMAGES, 4, "`train`.*batch of 4.*3 examples"),
        (IMAGES, IMAGES[:1], 4, "`validation_data`.*2 replicas.*1 examples"),
    ],
)
def test_what_devices_cannot_share_at_all(train, validation, batch_size, match):
    with pytest.raises(ValueError, match=match):
        Feed(train, validation, batch_size, seed=0, replicas=2)


@pytest.mark.parametrize("replicas", [1, 2])
def test_batches_must_not_be_none(replicas):
    good = ShuffledBatches(IMAGES, IMAGES, 4)
    few = ShuffledBatches(IMAGES[:3], IMAGES[:3], 4, drop_remainder=True)
    none = ShuffledBatches(IMAGES[:0], IMAGES[:0], 4)
    with pytest.raises(ValueError, match="`train`.*4 examples.*3 examples"):
        Feed(few, good, 4, seed=0, replicas=replicas)
    with pytest.raises(ValueError, match="`validation_data`.*1 ex.*0 examples"):
        Feed(good, none, 4, seed=0, replicas=replicas)


def test_a_data_set_is_taken_as_it_is():
    batches = [(IMAGES, IMAGES)]
    feed = Feed(iter(batches), iter(batches), 16, seed=0, replicas=2)
    np.testing.assert_array_equal(first_batch(feed), IMAGES)
    assert feed.fingerprint is None and feed.callbacks == []
    assert feed.validation_batch_size is None
