"""Train and evaluate with lines that are drawn anew for each example."""

import zlib

import numpy as np

import loupe_tf
from experiments import conventions
from experiments.tables import spread
from loupe_tf import evaluation, masks
from loupe_tf.checks import invalid

PATTERNS = {
    "random": masks.random_lines,
    "equispaced": masks.equispaced_lines,
}
"""The two patterns of fastMRI, by name."""


def calibration_lines(width, acceleration):
    """Return fastMRI's number of central columns that are always acquired.

    Args:
        width: Integer, the columns of the images.
        acceleration: Float.

    Raises:
        ValueError: If the number is 0.
    """
    lines = masks.default_calibration((1, width), acceleration, "columns")
    if not lines:
        share = masks.CALIBRATION_SHARE / acceleration
        raise invalid(
            "width",
            f"{int(0.5 / share) + 1} columns or more, so that {share:.1%} of "
            f"them, the calibration lines at R = {acceleration:g}, are at "
            "least one",
            found=f"{width} columns",
        )
    return lines


class DrawnLines:
    """Draws masks of lines from seeds, and records their shares in training.

    Args:
        pattern: `loupe_tf.masks.random_lines` or another one of its signature.
        width: Integer, the columns of the images.
        acceleration: Float.
    """

    def __init__(self, pattern, width, acceleration):
        lines = calibration_lines(width, acceleration)
        self.pattern = pattern
        self.arguments = (1, width), acceleration, lines
        self.shares = []

    def __call__(self, seed):
        return self.pattern(*self.arguments, seed=seed)

    def count(self, seed):
        """Draw a mask and record its share."""
        mask = self(seed)
        self.shares.append(mask.array.mean())
        return mask

    def achieved_acceleration(self):
        """The achieved acceleration of all masks drawn in training."""
        return 1 / float(np.mean(self.shares))

    def batches(self, part, batch_size, seed):
        """Make training data with a new mask for each example in each epoch.

        Args:
            part: `loupe_tf.datasets.Slices`.
            batch_size, seed: Integers.

        Returns:
            `loupe_tf.callbacks.MaskedBatches`.
        """
        return loupe_tf.callbacks.MaskedBatches(
            part.images, part.images, self.count, batch_size, seed
        )

    def batches_by_volume(self, part, batch_size):
        """Make validation or test data; a volume's name sets its mask."""
        seeds = np.array([zlib.crc32(str(v).encode()) for v in part.volumes])
        return loupe_tf.callbacks.MaskedBatches(
            part.images, part.images, self, batch_size, seeds=seeds
        )


def of(pattern, width, acceleration):
    """`DrawnLines` for a name in `PATTERNS`; `None` for any other name."""
    if pattern in PATTERNS:
        return DrawnLines(PATTERNS[pattern], width, acceleration)
    return None


def achieved(when):
    """Return a column of `experiments.table`: the achieved acceleration.

    Args:
        when: String, `"training"` or `"test"`, a key of the records'
            `"achieved_acceleration"`.
    """
    return spread(
        lambda record: record.get("achieved_acceleration", {}).get(when), 3
    )


def training_data(splits, batch_size, seed, lines=None):
    """Make the training and validation data.

    Args:
        splits: Dict of `loupe_tf.datasets.Slices`.
        batch_size, seed: Integers.
        lines: (Optional) `DrawnLines`, if the mask is an input.

    Returns:
        A pair, for `experiments.fit`.
    """
    train, validation = splits["train"], splits["validation"]
    if lines is None:
        return train.images, validation.images
    return (
        lines.batches(train, batch_size, seed),
        lines.batches_by_volume(validation, batch_size),
    )


def rebuild(model, part, batch_size, lines=None):
    """Reconstruct images with the network and by zero filling.

    Args:
        model: A `loupe_model`.
        part: `loupe_tf.datasets.Slices`.
        batch_size: Integer.
        lines: (Optional) `DrawnLines`, if the mask is an input.

    Returns:
        A dict of arrays `(n, H, W, 1)`, `"unet"` and `"zero_filled"`; and the
        acquired lines, `(n, 1, W)`.
    """
    import keras

    inputs, count = part.images, len(part.images)
    if lines is None:
        mask = masks.from_model(model).array
        acquired = np.repeat(mask[None], count, axis=0)
    else:
        drawn = lines.batches_by_volume(part, batch_size).masks(range(count))
        inputs, acquired = [inputs, drawn], drawn[:, :1, :, 0]
    zero_filled = loupe_tf.models.AdjointNetwork()(model.measured)
    both = keras.Model(model.input, [model.output, zero_filled])
    every = both.predict(inputs, batch_size, verbose=0)
    return dict(zip(("unet", "zero_filled"), every)), acquired


def judge(model, part, batch_size, lines=None):
    """Compute the metrics of both reconstructions in both conventions.

    Args:
        model, part, batch_size, lines: As in `rebuild`.

    Returns:
        A tuple: the results of `experiments.conventions.judge` by
        reconstruction, the acceleration of the masks, and a dict of images of
        the middle slice of the first volume. All are `None` if an image is not
        finite.
    """
    outputs, acquired = rebuild(model, part, batch_size, lines)
    if not all(np.isfinite(output).all() for output in outputs.values()):
        return None, None, None
    shown = evaluation.middle_slice(part.volumes)
    images = {
        "mask": acquired[shown] > 0,
        "truth": part.images[shown],
        **{name: output[shown] for name, output in outputs.items()},
    }
    metrics = {
        name: conventions.judge(part, output)
        for name, output in outputs.items()
    }
    return metrics, 1 / float(np.mean(acquired)), images
