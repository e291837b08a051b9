import concurrent.futures

import keras
import numpy as np

# Batches that are read while the network is busy with one, and threads that
# read them.
READ_AHEAD = 4
THREADS = 2


class SliceBatches(keras.utils.PyDataset):
    """Batches of (input, target), the same ones for the same seed.

    The order of an epoch and what augmentation draws depend on the seed, the
    number of the epoch and the index of the slice alone: not on the number of
    threads or processes, nor on what was read before.

    It reads ahead by itself. The `workers` of a `PyDataset` would do so too,
    but Keras hands out what they have read ahead in the next epoch, whatever
    that was.

    Args:
        images: What holds the images: `count` of them, and `fetch(indices)`
            that returns some as a float32 array `(n, H, W, C)`.
        batch_size: Integer, images in a batch, all replicas together.
        shuffle: Boolean. Draw another order in each epoch.
        seed: Integer, at least 0.
        augment: `None` or a callable; see `pipeline`.
        magnitude_target: Boolean. Take the magnitude of complex targets.
        drop_remainder: Boolean. Leave out the last batch if it is smaller.
        share: `(replicas, first, per_worker)`: batches are cut into so many
            equal parts, and this worker gets, one after the other, so many of
            them from the first on.
    """

    def __init__(
        self,
        images,
        batch_size,
        shuffle=False,
        seed=0,
        augment=None,
        magnitude_target=False,
        drop_remainder=False,
        share=(1, 0, 1),
    ):
        super().__init__()
        self.images = images
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.augment = augment
        self.magnitude_target = magnitude_target
        self.share = share
        self.steps = images.count // batch_size
        if not drop_remainder and images.count % batch_size:
            self.steps += 1
        self.epoch = 0
        self._told = False
        self._order = None
        self._ahead = {}
        self._threads = None

    def set_epoch(self, epoch):
        """Tell the number of the epoch that begins."""
        self.epoch = int(epoch)
        # From now on it changes only when it is told to: Keras begins
        # iterators that it never uses.
        self._told = True

    def callback(self):
        """The callback that tells it in `model.fit`."""
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.set_epoch(epoch)
        )

    def begin_epoch(self):
        """The number of the epoch, to one that iterates anew."""
        epoch = self.epoch
        self.end_epoch()
        return epoch

    def end_epoch(self):
        """Go on to the next epoch, if nobody tells when."""
        if not self._told:
            self.epoch += 1

    def on_epoch_end(self):
        self.end_epoch()

    def __len__(self):
        return self.steps * self.share[2]

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"No batch {index} of {len(self)}")
        if self._threads is None:
            self._threads = concurrent.futures.ThreadPoolExecutor(THREADS)
        end = min(index + 1 + READ_AHEAD, len(self))
        wanted = [(self.epoch, i) for i in range(index, end)]
        self._ahead = {
            key: self._ahead.get(key) or self._threads.submit(self.batch, *key)
            for key in wanted
        }
        return self._ahead[wanted[0]].result()

    def batch(self, epoch, index):
        """The batch of this index in any epoch."""
        replicas, first, per_worker = self.share
        step, part = divmod(int(index), per_worker)
        begin = step * self.batch_size
        rows = self.order(int(epoch))[begin : begin + self.batch_size]
        if replicas > 1:
            size = self.batch_size // replicas
            begin = (first + part) * size
            rows = rows[begin : begin + size]
        return self._pairs(self.images.fetch(rows), rows, epoch)

    def order(self, epoch):
        """The indices of all images, in the order of an epoch."""
        if not self.shuffle:
            return np.arange(self.images.count)
        known = self._order
        if known is None or known[0] != epoch:
            # As in `ShuffledBatches`.
            rng = np.random.default_rng([self.seed, epoch])
            known = self._order = (epoch, rng.permutation(self.images.count))
        return known[1]

    def _pairs(self, images, indices, epoch):
        """Inputs and targets, `(n, H, W, C)` each, of images."""
        inputs = targets = images
        if self.augment is not None:
            changed = [
                # One more, since NumPy takes a last zero for no number at all.
                self.augment(
                    image,
                    np.random.default_rng(
                        [self.seed, int(epoch), int(index) + 1]
                    ),
                )
                for image, index in zip(images, indices)
            ]
            inputs, targets = (
                np.stack(part).astype("float32", copy=False)
                for part in zip(*changed)
            )
        if self.magnitude_target and targets.shape[-1] == 2:
            targets = np.hypot(targets[..., :1], targets[..., 1:])
        return inputs, targets
