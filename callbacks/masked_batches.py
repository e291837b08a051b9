import numpy as np

from loupe_tf.callbacks.shuffled_batches import ShuffledBatches
from loupe_tf.checks import invalid
from loupe_tf.masks.centre import judged


class MaskedBatches(ShuffledBatches):
    """Batches in which each example has a mask of its own.

    For models with `mask_input=True`, that are to serve many masks: a batch is
    `((images, masks), targets)`. In training each example gets another random
    mask in each epoch, as in fastMRI; in validation, where epochs are to be
    compared, `seeds` gives it always the same.

    Order and masks depend on seed and epoch alone: not on the backend, nor on
    what was drawn before. The order is that of `ShuffledBatches`. The callback
    `callback()` tells the epoch; `fit_two_rounds` adds it by itself.

    Args:
        x: Array of images `(examples, H, W, C)`.
        y: Array of targets `(examples, ...)`.
        draw: Callable that takes a seed, a non-negative integer, and returns a
            `SamplingMask` or a boolean array, `(H, W)`, `(1, W)` or `(H, 1)`,
            DC at index `N // 2` of each axis. If the first one seems to have
            it in the corner, there is a warning.
        batch_size: Integer. The last batch may be smaller.
        seed: Integer, of order and masks.
        seeds: `None`, or an array `(examples,)` of the seeds of their masks,
            the same in all epochs: for instance one for each volume.
        drop_remainder: Boolean. Whether a smaller last batch is left out.

    Raises:
        ValueError: If there is not one seed for each example; when masks are
            drawn, if they do not fit the images.

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
            # One more number than the order is drawn from.
            rng = np.random.default_rng([self.seed, epoch, 1])
            self._seeds = rng.integers(2**63, size=len(self.x))

    def masks(self, rows):
        """Masks of some examples in this epoch.

        Args:
            rows: Array of integers, the numbers of the examples.

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
