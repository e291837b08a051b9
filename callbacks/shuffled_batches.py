import keras

from loupe_tf.callbacks.ordered_batches import OrderedBatches


class ShuffledBatches(OrderedBatches):
    """Batches of arrays in an order that depends only on seed and epoch.

    `model.fit` shuffles arrays with a random state that is lost when a run is
    killed. Here the callback `ShuffledBatches.callback()` passes the epoch
    number to the data set, so that a resumed run sees the same batches, if
    `fit` has `shuffle=False`.

    Args:
        x: Array `(examples, ...)`, or a tuple or dict of arrays for several
            inputs.
        y: Array `(examples, ...)`.
        batch_size: Integer. The last batch may be smaller.
        seed: Integer, at least 0, or a sequence of such integers.
        drop_remainder: Boolean. Whether to drop a smaller last batch, so that
            several devices get equal shares of every batch. The dropped
            examples change from epoch to epoch.
    """

    def __init__(self, x, y, batch_size=16, seed=0, drop_remainder=False):
        super().__init__(
            len(y), batch_size, seed, drop_remainder=drop_remainder
        )
        self.x, self.y = x, y
        self.set_epoch(0)

    def to_tf_dataset(self):
        """Return the same batches as a `tf.data.Dataset` without autotuning.

        Keras turns a `PyDataset` into a data set that autotunes. Stopping the
        autotuner after an epoch can take as long as a small model's epoch.
        """
        import tensorflow as tf

        def batches():
            for index in range(len(self)):
                yield self[index]

        signature = keras.tree.map_structure(
            lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
            self[0],
        )
        options = tf.data.Options()
        options.autotune.enabled = False
        dataset = tf.data.Dataset.from_generator(
            batches, output_signature=signature
        )
        cardinality = tf.data.experimental.assert_cardinality(len(self))
        return dataset.apply(cardinality).with_options(options)

    def __getitem__(self, index):
        rows = self.rows(index)
        inputs = keras.tree.map_structure(lambda array: array[rows], self.x)
        return inputs, self.y[rows]
