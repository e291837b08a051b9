"""Panels of images, which the figures of images share."""

import textwrap

import numpy as np

# Functions import Keras where needed: the command-line tool draws without it.
from loupe_tf.checks import invalid
from loupe_tf.plots.drawing import COLOURS, get_figure, plain

WIDEST = 24
"""Characters of a title that fit above an image."""


def check_truth(truth):
    """Return the shape of true images.

    Raises:
        ValueError: If they are not `(n, H, W, 1)` or `(n, H, W, 2)`.
    """
    shape = tuple(np.shape(truth))
    if len(shape) != 4 or shape[-1] not in (1, 2):
        raise invalid(
            "truth",
            "shape (n, H, W, 1) or (n, H, W, 2)",
            found=f"shape={shape}",
        )
    return shape


def panels(figure, count, heights, columns):
    """Return the figure and empty axes `(count, len(heights), columns)`."""
    cell = 2.2
    figure = get_figure(
        figure,
        cell * columns,
        (cell * sum(heights) + 0.25 * len(heights)) * count + 0.45,
    )
    axes = figure.subplots(
        count * len(heights),
        columns,
        squeeze=False,
        height_ratios=count * heights,
    )
    # Each example has a row with the whole image, then a row with its zoom.
    axes = axes.reshape(count, len(heights), columns)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return figure, axes


def pixel_aspect(voxel_size):
    """Return the height of a pixel relative to its width, 1 if not known.

    Args:
        voxel_size: `None`, or a sequence of numbers in mm that ends with rows
            and columns. Unknown numbers are `None` or 0.
    """
    if voxel_size is None:
        return 1.0
    rows, columns = tuple(voxel_size)[-2:]
    if not rows or not columns:
        return 1.0
    if not (0 < rows < np.inf and 0 < columns < np.inf):
        raise invalid(
            "voxel_size", "positive numbers (rows, columns) in mm", voxel_size
        )
    return float(rows / columns)


def draw_images(axes, title, images, zoom, cmap="gray", **style):
    """Draw images into `(n, 1)` axes, or `(n, 2)` with the zoom."""
    from keras import ops
    from matplotlib.patches import Rectangle

    from loupe_tf.metrics.images import magnitude

    axes[0, 0].set_title(textwrap.fill(plain(title), WIDEST))
    images = magnitude(ops.convert_to_tensor(images))
    images = ops.convert_to_numpy(images)[..., 0]
    style["cmap"] = cmap
    for ax, image in zip(axes, images, strict=True):
        ax[0].imshow(image, **style)
        if zoom is None:
            continue
        top, left, height, width = zoom
        ax[0].add_patch(
            Rectangle(
                (left - 0.5, top - 0.5),
                width,
                height,
                fill=False,
                edgecolor=COLOURS[4],
                linewidth=1,
            )
        )
        ax[1].imshow(image[top : top + height, left : left + width], **style)
