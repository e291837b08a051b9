import warnings

import keras
import numpy as np


class OrderedBatches(keras.utils.PyDataset):
    """Base class of batches whose order depends only on seed and epoch.

    The callback `callback()` passes the epoch number to the data set, so that
    a resumed run gets the batches of an uninterrupted one. Give it to
    `fit(..., shuffle=False)`: by default Keras takes the batches in a random
    order once more, and a warning says so. A subclass implements `__getitem__`
    with `rows`.

    Args:
        examples: Integer, the number of examples.
        batch_size: Integer. The last batch may be smaller.
        seed: Integer, at least 0, or a sequence of such integers.
        shuffle: Boolean. `True` gives a new order every epoch, `False` keeps
            the order of the examples.
        drop_remainder: Boolean. Whether to drop a smaller last batch.
    """

    def __init__(
        self, examples, batch_size, seed=0, shuffle=True, drop_remainder=False
    ):
        super().__init__()
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_remainder = drop_remainder
        self.epoch = 0
        self._order = None
        self._last = None  # The last index that `fit` asked for.

    def set_epoch(self, epoch):
        """Set the number of the epoch that begins."""
        self.epoch = int(epoch)

    def _begin_epoch(self, epoch, logs=None):
        self.set_epoch(epoch)
        self._last = -1

    def _end_training(self, logs=None):
        self._last = None

    def _watch_order(self, index):
        if self._last is None or self.workers > 1:
            return  # Several workers ask in any order.
        # Keras peeks at the first batch.
        expected = index in (0, self._last + 1)
        self._last = index if expected else None
        if not expected:
            warnings.warn(
                "`fit` takes these batches in a random order once more, which "
                "a resumed run does not repeat: give fit(..., shuffle=False).",
                stacklevel=4,
            )

    def callback(self):
        """Return the callback that `fit` needs with this data set."""
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=self._begin_epoch, on_train_end=self._end_training
        )

    def __len__(self):
        if self.drop_remainder:
            return self.examples // self.batch_size
        return -(-self.examples // self.batch_size)

    def order(self, epoch):
        """Return the indices of all examples, in the order of an epoch."""
        if not self.shuffle:
            return np.arange(self.examples)
        # A local reference keeps this safe when threads share the data set.
        known = self._order
        if known is None or known[0] != epoch:
            rng = np.random.default_rng([*np.ravel(self.seed), epoch])
            known = self._order = (epoch, rng.permutation(self.examples))
        return known[1]

    def rows(self, index, epoch=None):
        """Return the example indices of a batch, by default in this epoch."""
        if epoch is None:
            self._watch_order(index)
        order = self.order(self.epoch if epoch is None else epoch)
        begin = index * self.batch_size
        return order[begin : begin + self.batch_size]
