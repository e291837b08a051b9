import keras
import numpy as np


class OrderedBatches(keras.utils.PyDataset):
    """Base of batches whose order depends on seed and epoch alone.

    The data set is told the number of the epoch by the callback `callback()`,
    so that a run that was stopped goes on with the batches it would have had.
    A subclass implements `__getitem__`, by `rows`.

    Args:
        examples: Integer, the number of examples.
        batch_size: Integer. The last batch may be smaller.
        seed: Integer, at least 0.
        shuffle: Boolean. Another order in each epoch, or always that of the
            examples.
        drop_remainder: Boolean. Whether a smaller last batch is left out.
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

    def set_epoch(self, epoch):
        """Tell the number of the epoch that begins."""
        self.epoch = int(epoch)

    def callback(self):
        """The callback that `fit` needs beside this data set."""
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.set_epoch(epoch)
        )

    def __len__(self):
        if self.drop_remainder:
            return self.examples // self.batch_size
        return -(-self.examples // self.batch_size)

    def order(self, epoch):
        """The numbers of all examples, in the order of an epoch."""
        if not self.shuffle:
            return np.arange(self.examples)
        # Each thread uses what it has read or made itself.
        known = self._order
        if known is None or known[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            known = self._order = (epoch, rng.permutation(self.examples))
        return known[1]

    def rows(self, index, epoch=None):
        """The numbers of the examples of a batch, by default in this epoch."""
        order = self.order(self.epoch if epoch is None else epoch)
        begin = index * self.batch_size
        return order[begin : begin + self.batch_size]
