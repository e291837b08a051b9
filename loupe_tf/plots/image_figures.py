"""Figures of images."""

import numpy as np

# Functions import Keras where needed: the command-line tool draws without it.
from loupe_tf.checks import invalid
from loupe_tf.plots.drawing import COLOURS, get_figure, plain


def reconstructions(
    truth,
    reconstructions,
    max_value=1.0,
    error_scale=5,
    zoom=None,
    figure=None,
    voxel_size=None,
):
    """Draw true images, their reconstructions and the magnified errors.

    Each row shows one example: first the truth, then for each method the image
    and the modulus of its error. All images share one grey scale, from 0 to
    `max_value`; errors range from 0 to `max_value / error_scale`. The PSNR is
    below each image, in the convention of `loupe_tf.metrics.PSNR`.

    Args:
        truth: True images, `(n, H, W, 1)` or complex `(n, H, W, 2)`.
        reconstructions: Dictionary from the name of a method to images of the
            same shape as `truth`.
        max_value: Positive float, the white of the grey scale and the peak of
            the PSNR.
        error_scale: Positive float, magnification of the errors.
        zoom: (Optional) tuple `(top, left, height, width)` in pixels, a region
            that is framed in each panel and drawn larger below it.
        figure: (Optional) figure or sub-figure to draw into.
        voxel_size: (Optional) size of a pixel, `(rows, columns)` in mm, or
            `(slices, rows, columns)` as in `loupe_tf.datasets.Slices`. Images
            are then drawn in their true proportions. Pixels are square if it
            is not given or not known.

    Returns:
        The figure.

    Example:

    ```python
    loupe_tf.plots.reconstructions(
        images[:3], {"zero-filled": adjoint[:3], "LOUPE": output[:3]}
    )
    ```
    """
    from loupe_tf import metrics
    from loupe_tf.metrics.images import modulus, to_images

    _check_images(truth, reconstructions)
    count, height, width, _ = np.shape(truth)
    aspect = pixel_aspect(voxel_size)
    heights = [aspect * height / width]
    if zoom is not None:
        _check_zoom(zoom, height, width)
        heights.append(aspect * zoom[2] / zoom[3])
    figure, axes = _panels(figure, count, heights, 1 + 2 * len(reconstructions))
    style = {"vmin": 0, "vmax": max_value, "aspect": aspect}
    _draw_images(axes[..., 0], "truth", truth, zoom, **style)
    for row, ax in enumerate(axes[:, 0, 0]):
        ax.set_ylabel(f"example {row + 1}")
    for i, (name, images) in enumerate(reconstructions.items()):
        true, images = to_images(truth, images)
        decibels = metrics.psnr(true, images, max_value)
        error = modulus(true - images)
        image_axes, error_axes = axes[..., 1 + 2 * i], axes[..., 2 + 2 * i]
        _draw_images(image_axes, name, images, zoom, **style)
        _draw_images(
            error_axes,
            f"|error| × {error_scale:g}",
            error_scale * error,
            zoom,
            cmap="magma",
            **style,
        )
        for ax, value in zip(image_axes[:, 0], decibels, strict=True):
            ax.set_xlabel(f"PSNR {float(value):.2f} dB")
    return figure


def reconstruction_groups(truth, groups, zoom=None, voxel_size=None):
    """Draw more reconstructions than fit side by side, in groups.

    Args:
        truth: True image, `(1, H, W, 1)` or complex `(1, H, W, 2)`.
        groups: List of dictionaries from the name of a method to images of the
            same shape as `truth`. `reconstructions` draws the groups one below
            the other.
        zoom: (Optional) tuple `(top, left, height, width)`. Defaults to the
            central third.
        voxel_size: As for `reconstructions`.

    Returns:
        The figure.
    """
    if not groups:
        raise invalid("groups", "one dictionary or more", found="none")
    if zoom is None:
        height, width = np.shape(truth)[1:3]
        zoom = (height // 3, width // 3, height // 3, width // 3)
    columns = 1 + 2 * max(map(len, groups))
    height, width = np.shape(truth)[1:3]
    heights = height / width + zoom[2] / zoom[3]
    tall = 2.2 * heights * pixel_aspect(voxel_size) + 0.8
    figure = get_figure(None, 2.2 * columns, tall * len(groups))
    panels = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
    for panel, group in zip(panels, groups, strict=True):
        reconstructions(
            truth,
            group,
            zoom=tuple(zoom),
            figure=panel,
            voxel_size=voxel_size,
        )
    return figure


def _check_images(truth, reconstructions):
    shape = tuple(np.shape(truth))
    if len(shape) != 4 or shape[-1] not in (1, 2):
        raise invalid(
            "truth",
            "shape (n, H, W, 1) or (n, H, W, 2)",
            found=f"shape={shape}",
        )
    shapes = {name: tuple(np.shape(x)) for name, x in reconstructions.items()}
    if not shapes or any(other != shape for other in shapes.values()):
        raise invalid(
            "reconstructions",
            f"a dictionary of images of the shape of `truth`, {shape}",
            found=f"shapes={shapes}",
        )


def _panels(figure, count, heights, columns):
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


def _check_zoom(zoom, height, width):
    integers = len(zoom) == 4 and all(
        isinstance(n, (int, np.integer)) for n in zoom
    )
    if integers:
        top, left, high, wide = zoom
        inside = 0 <= top < top + high <= height
        if inside and 0 <= left < left + wide <= width:
            return
    raise invalid(
        "zoom",
        "integers (top, left, height, width) of a region within "
        f"{height}×{width} pixels",
        zoom,
    )


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


def _draw_images(axes, title, images, zoom, cmap="gray", **style):
    """Draw images into `(n, 1)` axes, or `(n, 2)` with the zoom."""
    from keras import ops
    from matplotlib.patches import Rectangle

    from loupe_tf.metrics.images import magnitude

    axes[0, 0].set_title(plain(title))
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
