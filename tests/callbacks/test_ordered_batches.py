import numpy as np
import pytest

from loupe_tf.callbacks import ShuffledBatches
from loupe_tf.callbacks.ordered_batches import OrderedBatches
from loupe_tf.datasets.feeding.pipeline import ArrayImages
from loupe_tf.datasets.feeding.slice_batches import SliceBatches

# Of seven examples and seed 3, by epoch: runs that were stopped rely on it.
ORDERS = {
    0: [5, 6, 2, 1, 4, 3, 0],
    1: [2, 1, 4, 0, 5, 6, 3],
    12: [5, 3, 4, 6, 2, 0, 1],
}


def of_arrays():
    x = np.arange(7)
    return ShuffledBatches(x, x, batch_size=3, seed=3)


def of_images():
    images = np.arange(7, dtype="float32").reshape(7, 1, 1, 1)
    return SliceBatches(ArrayImages(images), 3, shuffle=True, seed=3)


@pytest.mark.parametrize("make", [of_arrays, of_images])
def test_the_order_of_an_epoch_stays_as_it_was(make):
    batches = make()
    for epoch, order in ORDERS.items():
        batches.callback().on_epoch_begin(epoch, {})
        seen = [np.ravel(batches[i][0]) for i in range(len(batches))]
        assert np.concatenate(seen).tolist() == order


def test_rows_of_any_epoch():
    batches = OrderedBatches(7, 3, seed=3)
    assert batches.rows(1, epoch=12).tolist() == ORDERS[12][3:6]
    assert batches.rows(2).tolist() == ORDERS[0][6:]


def test_without_shuffling_the_order_is_that_of_the_examples():
    batches = OrderedBatches(7, 3, shuffle=False)
    batches.set_epoch(5)
    assert [batches.rows(i).tolist() for i in range(len(batches))] == [
        [0, 1, 2],
        [3, 4, 5],
        [6],
    ]


@pytest.mark.parametrize(
    "examples, drop_remainder, expected",
    [(7, False, 3), (7, True, 2), (6, False, 2), (6, True, 2)],
)
def test_length(examples, drop_remainder, expected):
    batches = OrderedBatches(examples, 3, drop_remainder=drop_remainder)
    assert len(batches) == expected
