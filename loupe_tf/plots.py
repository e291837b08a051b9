"""The figures of a training script: masks, curves, reconstructions.

Each function returns a `matplotlib.figure.Figure`, ready for
`figure.savefig(path)`, for `loupe_tf.report.figure` or for TensorBoard. None
of them touches pyplot, so they work without a display, in threads and in
callbacks. With `figure=` a function draws into a figure or sub-figure that is
there already:

```python
both = matplotlib.figure.Figure(figsize=(12, 4), layout="constrained")
left, right = both.subfigures(1, 2)
loupe_tf.plots.mask(mask, figure=left)
loupe_tf.plots.probability_histogram(probability, figure=right)
```
"""

import numpy as np

# Keras is imported by what needs it: the command-line tool draws masks without.
from loupe_tf.masks.description import (
    density_profile,
    overlap,
    point_spread,
    side_lobe,
)

__all__ = [
    "mask",
    "mask_comparison",
    "mask_description",
    "masks",
    "probability_histogram",
    "reconstruction_groups",
    "reconstructions",
    "training_curves",
]

# Okabe and Ito's colours, told apart by colour-blind readers too; each comes
# with its own line style.
COLOURS = [
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
]
STYLES = ["-", "--", "-.", ":"]


def mask(mask, probability=None, figure=None):
    """Draw a sampling mask, and beside it the probabilities it came from.

    The axes count frequencies from the centre (DC), in steps of one over the
    field of view.

    Args:
        mask: Binary mask, centred, `(H, W)`; or lines, `(1, W)` or `(H, 1)`,
            drawn as a full square. A `SamplingMask` will do.
        probability: (Optional) probabilities in [0, 1], centred, of the same
            shape.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.

    Example:

    ```python
    loupe_tf.plots.mask(mask, probability).savefig("mask.png")
    ```
    """
    mask = _frequencies("mask", getattr(mask, "array", mask))
    if not np.isin(mask, (0, 1)).all():
        raise ValueError(
            "Invalid value for argument `mask`. Expected a binary mask, zeros "
            f"and ones. Received: values from {mask.min()} to {mask.max()}"
        )
    panels = 1
    if probability is not None:
        panels = 2
        probability = _frequencies("probability", probability)
        _check_probability("probability", probability)
        if probability.shape != mask.shape:
            raise ValueError(
                "Invalid shape for argument `probability`. Expected the shape "
                f"of the mask, {mask.shape}. Received: {probability.shape}"
            )
    figure = _figure(figure, 4.0 * panels + 0.4 * (panels - 1), 4.0)
    axes = figure.subplots(1, panels, squeeze=False)[0]

    sampled = mask.mean()
    acceleration = f"R = {1 / sampled:.2f}" if sampled else "nothing acquired"
    axes[0].set_title(f"Mask: {100 * sampled:.1f} % ({acceleration})")
    _draw_frequencies(axes[0], mask, cmap="gray", vmin=0, vmax=1)
    if probability is not None:
        axes[1].set_title(f"Probability: mean {probability.mean():.3f}")
        image = _draw_frequencies(
            axes[1], probability, cmap="viridis", vmin=0, vmax=1
        )
        axes[1].set_ylabel("")
        figure.colorbar(image, ax=axes[1], fraction=0.046, pad=0.03)
    return figure


def mask_description(mask, title="mask", figure=None):
    """Draw a mask, its density and its point-spread function.

    The density is the share of entries acquired, by their distance from DC; the
    point-spread function, in dB, is what a zero-filled reconstruction makes of
    a point. Its largest side lobe is marked.

    Args:
        mask: `SamplingMask`.
        title: String, its name.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.
    """
    figure = _figure(figure, 12.0, 4.0)
    axes = figure.subplots(1, 3)
    axes[0].set_title(f"{title}: R = {mask.achieved_acceleration:.4g}")
    _draw_frequencies(
        axes[0], _frequencies("mask", mask.array), cmap="gray", vmin=0, vmax=1
    )
    _draw_density(axes[1], {title: mask})
    _draw_point_spread(axes[2], {title: mask})
    return figure


def mask_comparison(masks, figure=None):
    """Draw two masks, what they share, their densities and point-spreads.

    Args:
        masks: Dictionary by title of two `SamplingMask` of one size; lines are
            compared with points along the whole of k-space.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.
    """
    if len(masks) != 2:
        raise ValueError(
            "Invalid value for argument `masks`. Expected two masks. "
            f"Received: {list(masks)}"
        )
    (first, mask), (second, other) = masks.items()
    common = overlap(mask, other)
    figure = _figure(figure, 12.0, 8.0)
    axes = figure.subplots(2, 3)
    arrays = np.broadcast_arrays(mask.array, other.array)
    for ax, (title, one) in zip(axes[0], masks.items()):
        ax.set_title(f"{title}: R = {one.achieved_acceleration:.4g}")
        _draw_frequencies(
            ax, _frequencies("mask", one.array), cmap="gray", vmin=0, vmax=1
        )
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = ["black", COLOURS[0], COLOURS[1], "white"]
    axes[0, 2].set_title(f"both: {common['jaccard']:.1%} of either")
    _draw_frequencies(
        axes[0, 2],
        _frequencies("masks", arrays[0] + 2 * arrays[1].astype(int)),
        cmap=ListedColormap(colours),
        vmin=0,
        vmax=3,
        interpolation="nearest",
    )
    axes[0, 2].legend(
        [Patch(facecolor=c, edgecolor="0.5") for c in colours[1:]],
        [first, second, "both"],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.18),
        ncols=3,
        frameon=False,
        fontsize=8,
    )
    _draw_density(axes[1, 0], masks)
    if mask.lines and other.lines:
        _draw_point_spread(axes[1, 1], masks)
        axes[1, 2].set_axis_off()
    else:
        for ax, (title, one) in zip(axes[1, 1:], masks.items()):
            _draw_point_spread(ax, {title: one})
    return figure


def masks(masks, columns=None, figure=None):
    """Draw masks, or the probabilities behind them, side by side.

    Figure 4 of the 4S paper (Martinini et al., BioCAS 2022).

    Args:
        masks: Dictionary by title of arrays `(H, W)`, `(1, W)` or `(H, 1)` with
            values in [0, 1], DC at `(H // 2, W // 2)`; `None` leaves a place
            empty.
        columns: Integer, masks in a row; by default all of them.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.
    """
    if not masks:
        raise ValueError(
            "Invalid value for argument `masks`. Expected one mask or more. "
            "Received: none"
        )
    columns = columns or len(masks)
    rows = -(-len(masks) // columns)
    figure = _figure(figure, 1.9 * columns, 2.2 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, mask) in zip(axes.flat, masks.items()):
        if mask is None:
            continue
        mask = _frequencies(title, mask)
        _check_probability(title, mask)
        _draw_frequencies(ax, mask, cmap="gray", vmin=0, vmax=1)
        ax.set_title(title, fontsize=8)
    return figure


def probability_histogram(probabilities, bins=50, figure=None):
    """Draw how near to binary the probabilities of a mask are.

    Figure 2 of the 4S paper (Martinini et al., BioCAS 2022): a mask that can be
    thresholded without loss has two peaks, at 0 and at 1. The legend gives the
    share of entries outside [0.05, 0.95].

    Args:
        probabilities: Array of probabilities in [0, 1], of any shape, or a
            dictionary of them by name.
        bins: Integer, the number of bins on [0, 1].
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.
    """
    from keras import ops

    if not isinstance(probabilities, dict):
        probabilities = {"mask": probabilities}
    figure = _figure(figure, 6.0, 4.3)
    axes = figure.subplots()
    for i, (name, values) in enumerate(probabilities.items()):
        values = ops.convert_to_numpy(values).ravel()
        _check_probability(f"probabilities[{name!r}]", values)
        binary = np.mean((values < 0.05) | (values > 0.95))
        counts, edges = np.histogram(values, bins=bins, range=(0.0, 1.0))
        axes.stairs(
            counts / values.size,
            edges,
            color=COLOURS[i % len(COLOURS)],
            linestyle=STYLES[i % len(STYLES)],
            linewidth=1.6,
            label=f"{name}: {100 * binary:.1f} % near-binary",
        )
    axes.set_yscale("log")
    axes.set_xlim(0, 1)
    axes.set_title("Histogram of the mask probabilities")
    axes.set_xlabel("probability that an entry is acquired")
    axes.set_ylabel("share of entries")
    axes.grid(alpha=0.3)
    # Below, where it covers no curve.
    figure.legend(loc="outside lower center", frameon=False)
    return figure


def training_curves(history, validation_freq=1, figure=None):
    """Draw a run: the loss and, where logged, slope and learning rate.

    Args:
        history: Dictionary of lists with one value an epoch, such as
            `model.fit(...).history`. Used are `"loss"`, `"val_loss"`, every
            name that ends in `"slope"`, `"learning_rate"`, and `"round"`: a
            vertical line marks where its value changes, as at the beginning of
            the second round of 4S.
        validation_freq: Integer, the epochs from one validation to the next.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure: one panel below the other, over the same epochs.
    """
    slopes = [name for name in history if name.endswith("slope")]
    panels = [
        ("loss", ["loss", "val_loss"]),
        ("slope", slopes),
        ("learning rate", ["learning_rate"]),
    ]
    panels = [
        (label, [name for name in names if name in history])
        for label, names in panels
    ]
    panels = [(label, names) for label, names in panels if names]
    if not panels:
        raise ValueError(
            "Invalid value for argument `history`. Expected a dictionary with "
            "a loss, a slope or a learning rate. Received: "
            f"names={list(history)}"
        )
    figure = _figure(figure, 7.0, 1.6 + 1.7 * len(panels))
    axes = figure.subplots(
        len(panels),
        sharex=True,
        squeeze=False,
        height_ratios=[2 if label == "loss" else 1 for label, _ in panels],
    )[:, 0]

    for ax, (label, names) in zip(axes, panels, strict=True):
        for i, name in enumerate(names):
            values = np.asarray(history[name], dtype=float)
            step = validation_freq if name.startswith("val_") else 1
            ax.plot(
                step * np.arange(1, len(values) + 1),
                values,
                # A single epoch has no line.
                marker="." if len(values) < 20 else None,
                color=COLOURS[i % len(COLOURS)],
                linestyle=STYLES[i % len(STYLES)],
                label=name,
            )
        ax.set_yscale("log")
        ax.set_ylabel(label)
        ax.grid(alpha=0.3)
        if len(names) > 1:
            ax.legend(frameon=False)
    _mark_rounds(axes, history.get("round", ()))
    axes[0].set_title("Training")
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    return figure


def reconstructions(
    truth,
    reconstructions,
    max_value=1.0,
    error_scale=5,
    zoom=None,
    figure=None,
):
    """Draw true images, their reconstructions and the magnified errors.

    One row an example; first the truth, then for each method the image and the
    modulus of its error. All images share one grey scale, from 0 to
    `max_value`; errors run from 0 to `max_value / error_scale`. Below each
    image stands its PSNR, by the convention of `loupe_tf.metrics.PSNR`.

    Args:
        truth: True images, `(n, H, W, 1)` or complex `(n, H, W, 2)`.
        reconstructions: Dictionary by method's name of images like `truth`.
        max_value: Positive float, the white of the grey scale and the peak of
            the PSNR.
        error_scale: Positive float, by which errors are magnified.
        zoom: (Optional) tuple `(top, left, height, width)` in pixels: a
            region, framed in each panel and drawn larger below it.
        figure: (Optional) figure or sub-figure to draw into.

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

    shape = tuple(np.shape(truth))
    if len(shape) != 4 or shape[-1] not in (1, 2):
        raise ValueError(
            "Invalid shape for argument `truth`. Expected (n, H, W, 1) or "
            f"(n, H, W, 2). Received: shape={shape}"
        )
    shapes = {name: tuple(np.shape(x)) for name, x in reconstructions.items()}
    if not shapes or any(other != shape for other in shapes.values()):
        raise ValueError(
            "Invalid value for argument `reconstructions`. Expected a "
            f"dictionary of images of the shape of `truth`, {shape}. "
            f"Received: shapes={shapes}"
        )
    count, height, width, _ = shape
    heights = [height / width]
    if zoom is not None:
        _check_zoom(zoom, height, width)
        heights.append(zoom[2] / zoom[3])
    columns = 1 + 2 * len(reconstructions)
    cell = 2.2
    figure = _figure(
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
    # The rows of panels of one example: the whole image, then its zoom.
    axes = axes.reshape(count, len(heights), columns)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)

    _draw_images(axes[..., 0], "truth", truth, max_value, zoom)
    for row, ax in enumerate(axes[:, 0, 0]):
        ax.set_ylabel(f"example {row + 1}")
    for i, (name, images) in enumerate(reconstructions.items()):
        true, images = metrics.to_images(truth, images)
        decibels = metrics.psnr(true, images, max_value)
        error = metrics.modulus(true - images)
        image_axes, error_axes = axes[..., 1 + 2 * i], axes[..., 2 + 2 * i]
        _draw_images(image_axes, name, images, max_value, zoom)
        _draw_images(
            error_axes,
            f"|error| × {error_scale:g}",
            error_scale * error,
            max_value,
            zoom,
            cmap="magma",
        )
        for ax, value in zip(image_axes[:, 0], decibels, strict=True):
            ax.set_xlabel(f"PSNR {float(value):.2f} dB")
    return figure


def reconstruction_groups(truth, groups, zoom=None):
    """Draw more reconstructions than fit side by side, in groups.

    Args:
        truth: True image, `(1, H, W, 1)` or complex `(1, H, W, 2)`.
        groups: List of dictionaries by method's name of images like `truth`;
            each is drawn by `reconstructions`, one below the other.
        zoom: (Optional) tuple `(top, left, height, width)`; the central third
            by default.

    Returns:
        The figure.
    """
    if not groups:
        raise ValueError(
            "Invalid value for argument `groups`. Expected one dictionary or "
            "more. Received: none"
        )
    if zoom is None:
        height, width = np.shape(truth)[1:3]
        zoom = (height // 3, width // 3, height // 3, width // 3)
    columns = 1 + 2 * max(map(len, groups))
    figure = _figure(None, 2.2 * columns, 5.2 * len(groups))
    panels = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
    for panel, group in zip(panels, groups, strict=True):
        reconstructions(truth, group, zoom=tuple(zoom), figure=panel)
    return figure


def _figure(figure, width, height):
    """The figure given, or a new one of that size in inches."""
    if figure is not None:
        return figure
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _frequencies(name, array):
    """A mask as `(H, W)`, lines spread over a square."""
    array = np.asarray(array)
    if array.ndim != 2:
        raise ValueError(
            f"Invalid shape for argument `{name}`. Expected (H, W), or (1, W) "
            f"or (H, 1) for lines. Received: shape={array.shape}"
        )
    if 1 in array.shape:
        array = np.broadcast_to(array, (array.size, array.size))
    return array


def _check_probability(name, values):
    # Written so that a NaN fails too.
    if not (values.size and values.min() >= 0 and values.max() <= 1 + 1e-6):
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected probabilities in "
            f"[0, 1]. Received: {values.size} values from "
            f"{values.min(initial=np.inf)} to {values.max(initial=-np.inf)}"
        )


def _draw_frequencies(ax, array, **kwargs):
    height, width = array.shape
    left, top = -(width // 2) - 0.5, -(height // 2) - 0.5
    ax.set_xlabel("frequency along W")
    ax.set_ylabel("frequency along H")
    extent = (left, left + width, top + height, top)
    return ax.imshow(array, extent=extent, **kwargs)


def _draw_density(ax, masks):
    for i, (title, mask) in enumerate(masks.items()):
        edges, shares = density_profile(mask)
        ax.stairs(
            shares,
            edges,
            color=COLOURS[i],
            linestyle=STYLES[i],
            linewidth=1.6,
            label=title,
        )
    ax.set(ylim=(0, 1.05), xlim=(0, None))
    ax.set_title("Density")
    ax.set_xlabel("distance from DC, in halves of k-space")
    ax.set_ylabel("share acquired")
    ax.grid(alpha=0.3)
    if len(masks) > 1:
        ax.legend(frameon=False)


def _draw_point_spread(ax, masks, floor=-60.0):
    """Curves of lines, or the image of one mask of points, in dB."""
    titles = []
    for i, (title, mask) in enumerate(masks.items()):
        lobe = side_lobe(mask)
        spread = np.maximum(point_spread(mask), 10 ** (floor / 20))
        decibels = 20 * np.log10(spread)
        height = 20 * np.log10(max(lobe["height"], 10 ** (floor / 20)))
        titles.append(f"{height:.1f} dB")
        style = {"color": COLOURS[i], "markerfacecolor": "none"}
        if mask.lines:
            values = decibels.ravel()
            pixels = np.arange(values.size) - values.size // 2
            ax.plot(pixels, values, STYLES[i], color=COLOURS[i], label=title)
            place = lobe["place"][mask.lines == "columns"]
            ax.plot(place, height, "o", **style)
            ax.set_xlabel("pixels from the point")
            ax.set_ylabel("dB")
            ax.grid(alpha=0.3)
            continue
        rows, columns = mask.shape
        left, top = -(columns // 2) - 0.5, -(rows // 2) - 0.5
        image = ax.imshow(
            decibels,
            extent=(left, left + columns, top + rows, top),
            cmap="viridis",
            vmin=floor,
            vmax=0,
        )
        ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03, label="dB")
        style["color"] = "white"
        ax.plot(*lobe["place"][::-1], "o", markersize=8, **style)
        ax.set_xlabel("pixels along W")
        ax.set_ylabel("pixels along H")
    ax.set_title(f"Point spread, side lobe {' and '.join(titles)}")
    if len(masks) > 1:
        ax.legend(frameon=False)


def _mark_rounds(axes, rounds):
    for epoch in np.flatnonzero(np.diff(rounds)) + 1:
        for ax in axes:
            ax.axvline(epoch + 0.5, color="0.4", linestyle=":", linewidth=1)
        axes[0].annotate(
            f"round {rounds[epoch]:g}",
            (epoch + 0.5, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -4),
            textcoords="offset points",
            va="top",
            color="0.3",
        )


def _check_zoom(zoom, height, width):
    integers = len(zoom) == 4 and all(
        isinstance(n, (int, np.integer)) for n in zoom
    )
    if integers:
        top, left, high, wide = zoom
        inside = 0 <= top < top + high <= height
        if inside and 0 <= left < left + wide <= width:
            return
    raise ValueError(
        "Invalid value for argument `zoom`. Expected integers (top, left, "
        f"height, width) of a region within {height}×{width} pixels. "
        f"Received: {zoom}"
    )


def _draw_images(axes, title, images, max_value, zoom, cmap="gray"):
    """Draw images into `(n, 1)` axes, or `(n, 2)` with the zoom."""
    from keras import ops
    from matplotlib.patches import Rectangle

    from loupe_tf import metrics

    axes[0, 0].set_title(title)
    images = ops.convert_to_numpy(
        metrics.magnitude(ops.convert_to_tensor(images))
    )[..., 0]
    style = {"cmap": cmap, "vmin": 0, "vmax": max_value}
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
