"""Training data for nested masks."""

import numpy as np


def nested_batches(images, count, batch_size, seed):
    """Make batches `((images, index), images)` with a new R in each epoch.

    Args:
        images: Array `(n, ...)`.
        count: Integer, the number of accelerations of the model.
        batch_size, seed: Integers.

    Returns:
        `loupe_tf.callbacks.ShuffledBatches`.
    """
    from loupe_tf.callbacks import ShuffledBatches

    class NestedBatches(ShuffledBatches):
        def set_epoch(self, epoch):
            super().set_epoch(epoch)
            # The extra number makes this stream differ from the order's.
            rng = np.random.default_rng([self.seed, epoch, 1])
            self._index = rng.integers(count, size=self.examples)

        def __getitem__(self, index):
            rows = self.rows(index)
            return (self.x[rows], self._index[rows]), self.y[rows]

    return NestedBatches(images, images, batch_size, seed)
