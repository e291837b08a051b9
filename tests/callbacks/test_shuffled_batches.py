import warnings

import keras
import numpy as np
import pytest

from loupe_tf.callbacks import ShuffledBatches


def rows(batches):
    return [batches[i][0].tolist() for i in range(len(batches))]


def test_another_order_in_each_epoch_and_the_same_again():
    x = np.arange(7)
    batches = ShuffledBatches(x, 10 * x, batch_size=3, seed=1)
    first = rows(batches)
    assert [len(batch) for batch in first] == [3, 3, 1]
    assert sorted(sum(first, [])) == x.tolist()
    batches.set_epoch(1)
    assert rows(batches) != first
    batches.callback().on_epoch_begin(0, {})
    assert rows(batches) == first
    inputs, targets = batches[0]
    assert (targets == 10 * inputs).all()


def test_fit_must_not_shuffle_once_more():
    x = np.arange(24.0, dtype="float32").reshape(12, 2)

    def fit(**options):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", loss="mse")
        batches = ShuffledBatches(x, x[:, :1], batch_size=1, seed=3)
        watched = [batches.callback()]
        validation = {"validation_data": batches}
        model.fit(
            batches,
            epochs=2,
            callbacks=watched,
            verbose=0,
            **validation,
            **options,
        )
        rows(batches)  # Not what `fit` asks for.

    with pytest.warns(UserWarning, match="shuffle=False"):
        fit()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(shuffle=False)
    assert not [w for w in caught if "shuffle=False" in str(w.message)]


def test_drop_remainder_leaves_out_others_in_each_epoch():
    x = np.arange(7)
    batches = ShuffledBatches(x, x, batch_size=3, drop_remainder=True)
    left_out = set()
    for epoch in range(20):
        batches.set_epoch(epoch)
        seen = rows(batches)
        assert [len(batch) for batch in seen] == [3, 3]
        left_out |= set(x.tolist()) - set(sum(seen, []))
    assert len(left_out) > 3


def test_several_inputs():
    x = np.arange(7)
    batches = ShuffledBatches({"a": x, "b": x + 7}, 10 * x, batch_size=3)
    assert len(batches) == 3
    for inputs, targets in (batches[i] for i in range(3)):
        assert (inputs["b"] - 7 == inputs["a"]).all()
        assert (targets == 10 * inputs["a"]).all()


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.data is TensorFlow's"
)
def test_to_tf_dataset_follows_the_epoch():
    x = np.arange(14.0).reshape(7, 2)
    batches = ShuffledBatches(x, 10 * x, batch_size=3, seed=1)
    dataset = batches.to_tf_dataset()
    assert len(dataset) == 3
    for epoch in (0, 5, 0):
        batches.set_epoch(epoch)
        for batch, (inputs, targets) in zip(batches, dataset, strict=True):
            np.testing.assert_array_equal(inputs, batch[0])
            np.testing.assert_array_equal(targets, batch[1])
    assert not dataset.options().autotune.enabled
