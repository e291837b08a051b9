"""Lines that are drawn anew for each example."""

import zlib

import numpy as np

import loupe_tf


class DrawnLines:
    """Draws masks of lines from seeds, and counts what they acquire.

    Args:
        pattern: `loupe_tf.masks.random_lines` or another one of its signature.
        width: Integer, the columns of the images.
        acceleration: Float.
        calibration: Integer, the central lines that are always acquired.
    """

    def __init__(self, pattern, width, acceleration, calibration):
        self.pattern = pattern
        self.arguments = (1, width), acceleration, calibration
        self.shares = []

    def __call__(self, seed):
        mask = self.pattern(*self.arguments, seed=seed)
        self.shares.append(mask.array.mean())
        return mask

    def achieved_acceleration(self):
        """That of all masks which were drawn."""
        return 1 / float(np.mean(self.shares))

    def batches(self, part, batch_size, seed):
        """Training data: another mask for each example in each epoch.

        Args:
            part: `loupe_tf.datasets.Slices`.
            batch_size, seed: Integers.

        Returns:
            `loupe_tf.callbacks.MaskedBatches`.
        """
        return loupe_tf.callbacks.MaskedBatches(
            part.images, part.images, self, batch_size, seed
        )

    def batches_by_volume(self, part, batch_size):
        """Data to validate and test with: a mask of the name of each volume."""
        seeds = np.array([zlib.crc32(str(v).encode()) for v in part.volumes])
        return loupe_tf.callbacks.MaskedBatches(
            part.images, part.images, self, batch_size, seeds=seeds
        )
