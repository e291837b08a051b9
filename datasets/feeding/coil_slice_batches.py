import numpy as np

from loupe_tf.datasets.feeding.slice_batches import SliceBatches


class CoilSliceBatches(SliceBatches):
    """Batches of ((k-space, maps), image) that depend only on a seed.

    The order is that of `SliceBatches`.

    Args:
        images: Source of the slices, with the attributes `count` and `shape`,
            `(coils, H, W, 2)`, and the method `fetch(indices)`, which returns
            k-space, maps and images; see `SplitCoils`.
        *args, **kwargs: As for `SliceBatches`, without `augment`.
    """

    def batch(self, epoch, index):
        rows = self._own_rows(epoch, index)
        kspace, maps, images = self.images.fetch(rows)
        if self.magnitude_target:
            images = np.hypot(images[..., :1], images[..., 1:])
        return (kspace, maps), images

    def _read(self, epoch, index):
        import tensorflow as tf

        def read(*where):
            (kspace, maps), images = self.batch(*where)
            return kspace, maps, images

        shape = (None, *self.images.shape)
        channels = 1 if self.magnitude_target else 2
        kspace, maps, images = tf.numpy_function(
            read, [epoch, index], [tf.float32] * 3
        )
        return (
            (tf.ensure_shape(kspace, shape), tf.ensure_shape(maps, shape)),
            tf.ensure_shape(images, (None, *shape[2:4], channels)),
        )
