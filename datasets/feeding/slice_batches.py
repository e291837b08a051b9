import concurrent.futures

import numpy as np

from loupe_tf.callbacks.ordered_batches import OrderedBatches

# Number of batches to read in advance, and of threads that read them.
READ_AHEAD = 4
THREADS = 2


class SliceBatches(OrderedBatches):
    """Batches of (input, target) that depend only on a seed.

    The order of an epoch and the augmentation depend only on the seed, the
    epoch number and the index of the slice, not on the number of threads or
    processes or on earlier reads.

    This class reads batches in advance in its own threads. It does not use the
    `workers` of a `PyDataset`, because Keras passes the batches that they have
    read in advance to the next epoch.

    Args:
        images: Source of the images, with the attribute `count` and the method
            `fetch(indices)`, which returns a float32 array `(n, H, W, C)`.
        batch_size: Integer, images per batch, over all replicas.
        shuffle: Boolean. Whether to draw a new order every epoch.
        seed: Integer, at least 0.
        augment: `None` or a callable; see `pipeline`.
        magnitude_target: Boolean. Take the magnitude of complex targets.
        drop_remainder: Boolean. Drop the last batch if it is smaller.
        share: `(replicas, first, per_worker)`. Batches are split into
            `replicas` equal parts, and this worker gets `per_worker` of them in
            turn, starting at part `first`.
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
        super().__init__(
            images.count, batch_size, seed, shuffle, drop_remainder
        )
        self.images = images
        self.augment = augment
        self.magnitude_target = magnitude_target
        self.share = share
        self._told = False
        self._ahead = {}
        self._threads = None

    def set_epoch(self, epoch):
        """Set the number of the epoch that begins."""
        super().set_epoch(epoch)
        # From now on only this method changes the number, because Keras starts
        # iterators that it never uses.
        self._told = True

    def begin_epoch(self):
        """Return the epoch number for a new iterator."""
        epoch = self.epoch
        self.end_epoch()
        return epoch

    def end_epoch(self):
        """Go on to the next epoch, unless `set_epoch` is used."""
        if not self._told:
            self.epoch += 1

    def on_epoch_end(self):
        self.end_epoch()

    def __len__(self):
        return super().__len__() * self.share[2]

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
        """Return the batch with this index in any epoch."""
        rows = self._own_rows(epoch, index)
        return self._pairs(self.images.fetch(rows), rows, epoch)

    def _own_rows(self, epoch, index):
        """The indices of a batch, or of this worker's part of it."""
        replicas, first, per_worker = self.share
        step, part = divmod(int(index), per_worker)
        rows = self.rows(step, int(epoch))
        if replicas > 1:
            size = self.batch_size // replicas
            begin = (first + part) * size
            rows = rows[begin : begin + size]
        return rows

    def to_tf_dataset(self):
        """Return a `tf.data.Dataset` that reads these batches in parallel."""
        import tensorflow as tf

        # Get the epoch number when an iterator starts.
        epochs = tf.data.Dataset.from_tensors(0).map(
            lambda _: tf.numpy_function(
                lambda: np.int64(self.begin_epoch()), [], tf.int64
            )
        )
        steps = epochs.flat_map(
            lambda epoch: tf.data.Dataset.range(len(self)).map(
                lambda index: (epoch, index)
            )
        )
        # AUTOTUNE starts with one thread and needs an epoch to add more.
        dataset = steps.map(
            self._read, num_parallel_calls=THREADS, deterministic=True
        )
        dataset = dataset.apply(
            tf.data.experimental.assert_cardinality(len(self))
        )
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        dataset = dataset.prefetch(READ_AHEAD).with_options(options)
        dataset.callback = self.callback
        dataset.set_epoch = self.set_epoch
        return dataset

    def _read(self, epoch, index):
        """Read a batch as TensorFlow's tensors."""
        import tensorflow as tf

        shape = (None, *self.images.shape)
        target_shape = (*shape[:3], 1) if self.magnitude_target else shape
        if self.augment is None and not self.magnitude_target:
            # Pass one array instead of two.
            inputs = targets = tf.numpy_function(
                lambda *where: self.batch(*where)[0],
                [epoch, index],
                tf.float32,
            )
        else:
            inputs, targets = tf.numpy_function(
                self.batch, [epoch, index], [tf.float32, tf.float32]
            )
        return (
            tf.ensure_shape(inputs, shape),
            tf.ensure_shape(targets, target_shape),
        )

    def _pairs(self, images, indices, epoch):
        """Make inputs and targets, `(n, H, W, C)` each, from images."""
        inputs = targets = images
        if self.augment is not None:
            changed = [
                # Add 1, because NumPy ignores a trailing zero in a seed.
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
