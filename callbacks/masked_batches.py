import numpy as np

from loupe_tf.callbacks.shuffled_batches import ShuffledBatches
from loupe_tf.checks import invalid
from loupe_tf.masks.centre import judged


class MaskedBatches(ShuffledBatches):
    """Batches in which each example has its own mask.

    For models with `mask_input=True`, which must handle many masks: a batch is
    `((images, masks), targets)`. In training, each example gets a new random
    mask every epoch, as in fastMRI. In validation, `seeds` fixes the mask of
    each example, so that epochs are comparable.

    Order and masks depend only on the seed and the epoch, not on the backend
    or on earlier draws. The order is that of `ShuffledBatches`. The callback
    `callback()` passes on the epoch; `fit_two_rounds` adds it automatically.

    Args:
        x: Array of images `(examples, H, W, C)`.
        y: Array of targets `(examples, ...)`.
        draw: Callable that takes a seed, a non-negative integer, and returns a
            `SamplingMask` or a boolean array `(H, W)`, `(1, W)` or `(H, 1)`,
            with DC at index `N // 2` of each axis. It warns if the first mask
            seems to have DC in the corner.
        batch_size: Integer. The last batch may be smaller.
        seed: Integer, for order and masks.
        seeds: `None`, or an array `(examples,)` of mask seeds that stay the
            same in all epochs, for example one seed per volume.
        drop_remainder: Boolean. Whether to drop a smaller last batch.

    Raises:
        ValueError: If the number of seeds differs from the number of examples.
            When masks are drawn, if they do not fit the images.

    Example:

    ```python
    model = loupe_tf.models.loupe_model((320, 320, 1), mask_input=True)
    model.compile("adam", loss="mae")

    def draw(seed):
        return loupe_tf.masks.random_lines((320, 320), 4, seed=seed)

    batches = MaskedBatches(images, images, draw)
    model.fit(batches, epochs=50, callbacks=[batches.callback()], shuffle=False)
    ```
    """

    def __init__(
        self,
        x,
        y,
        draw,
        batch_size=16,
        seed=0,
        seeds=None,
        drop_remainder=False,
    ):
        if seeds is not None and np.shape(seeds) != (len(x),):
            raise invalid(
                "seeds",
                f"one for each example, {(len(x),)}",
                found=f"shape={np.shape(seeds)}",
            )
        self.draw = draw
        self._is_judged = False
        self.seeds = seeds
        super().__init__(x, y, batch_size, seed, drop_remainder)

    def set_epoch(self, epoch):
        """Draw the order of an epoch, and the seeds of its masks."""
        super().set_epoch(epoch)
        self._seeds = self.seeds
        if self.seeds is None:
            # The extra number makes this stream differ from the order's.
            rng = np.random.default_rng([*np.ravel(self.seed), epoch, 1])
            self._seeds = rng.integers(2**63, size=len(self.x))

    def masks(self, rows):
        """Draw the masks of some examples in this epoch.

        Args:
            rows: Array of integers, the indices of the examples.

        Returns:
            Float32 array `(len(rows), H, W, 1)` of zeros and ones.
        """
        height, width = self.x.shape[1:3]
        masks = np.empty((len(rows), height, width, 1), "float32")
        for mask, row in zip(masks, rows):
            drawn = self.draw(int(self._seeds[row]))
            if not self._is_judged:
                with judged(drawn):
                    self._is_judged = True
            drawn = np.asarray(drawn)
            if drawn.shape not in (
                (height, width),
                (1, width),
                (height, 1),
            ):
                raise invalid(
                    "draw",
                    f"masks of shape {(height, width)}, {(1, width)} or "
                    f"{(height, 1)}, to fit the images",
                    found=f"shape={drawn.shape}",
                )
            mask[..., 0] = drawn
        return masks

    def __getitem__(self, index):
        rows = self.rows(index)
        return (self.x[rows], self.masks(rows)), self.y[rows]
