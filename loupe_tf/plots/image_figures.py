"""Figures of images."""

import numpy as np

# Functions import Keras where needed: the command-line tool draws without it.
from loupe_tf.checks import check_choice, invalid
from loupe_tf.plots.drawing import get_figure
from loupe_tf.plots.image_panels import (
    check_truth,
    draw_images,
    panels,
    pixel_aspect,
)


def reconstructions(
    truth,
    reconstructions,
    max_value=1.0,
    error_scale=5,
    zoom=None,
    figure=None,
    voxel_size=None,
    labels=None,
    errors_below=False,
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
        labels: (Optional) list of `n` strings, the names of the examples.
            Without it they are numbered, if there are several.
        errors_below: Boolean. Whether errors have a row of their own below
            the images, which suits many methods.

    Returns:
        The figure.

    Raises:
        ValueError: If shapes, names or the zoom do not fit.

    Example:

    ```python
    loupe_tf.plots.reconstructions(
        images[:3], {"zero-filled": adjoint[:3], "LOUPE": output[:3]}
    )
    ```
    """
    from loupe_tf import metrics
    from loupe_tf.metrics.images import modulus, to_images

    count, height, width, _ = _check_images(truth, reconstructions)
    if labels is None:
        several = range(count) if count > 1 else ()
        labels = [f"example {row + 1}" for row in several] or [""]
    if len(labels) != count:
        raise invalid("labels", f"{count} names, one an example", labels)
    aspect = pixel_aspect(voxel_size)
    heights = [aspect * height / width]
    if zoom is not None:
        _check_zoom(zoom, height, width)
        heights.append(aspect * zoom[2] / zoom[3])
    below = check_choice("errors_below", errors_below, (False, True))
    rows, step = (2 * count, 1) if below else (count, 2)
    columns = 1 + step * len(reconstructions)
    figure, axes = panels(figure, rows, heights, columns)
    if below:
        axes, axes_of_errors = axes[::2], axes[1::2]
    else:
        axes_of_errors = axes[..., 1:]
    style = {"vmin": 0, "vmax": max_value, "aspect": aspect}
    draw_images(axes[..., 0], "truth", truth, zoom, **style)
    for ax, label in zip(axes[:, 0, 0], labels, strict=True):
        ax.set_ylabel(label, fontsize="small")
    for i, (name, images) in enumerate(reconstructions.items()):
        true, images = to_images(truth, images)
        decibels = metrics.psnr(true, images, max_value)
        error = modulus(true - images)
        place = 1 + step * i
        image_axes, error_axes = axes[..., place], axes_of_errors[..., place]
        draw_images(image_axes, name, images, zoom, **style)
        draw_images(
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
    parts = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
    for part, group in zip(parts, groups, strict=True):
        reconstructions(
            truth,
            group,
            zoom=tuple(zoom),
            figure=part,
            voxel_size=voxel_size,
        )
    return figure


def _check_images(truth, reconstructions):
    shape = check_truth(truth)
    shapes = {name: tuple(np.shape(x)) for name, x in reconstructions.items()}
    if not shapes or any(other != shape for other in shapes.values()):
        raise invalid(
            "reconstructions",
            f"a dictionary of images of the shape of `truth`, {shape}",
            found=f"shapes={shapes}",
        )
    return shape


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
