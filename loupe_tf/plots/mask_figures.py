"""Figures of masks and of the probabilities behind them."""

import numpy as np

# Functions import Keras where needed: the command-line tool draws without it.
from loupe_tf.checks import invalid
from loupe_tf.masks.description import (
    density_profile,
    overlap,
    point_spread,
    side_lobe,
)
from loupe_tf.plots.drawing import COLOURS, STYLES, get_figure, plain
from loupe_tf.plots.frequencies import frequencies, mask_and_aspect


def mask(mask, probability=None, figure=None):
    """Draw a sampling mask, and beside it the probabilities behind it.

    The axes count frequencies from the centre (DC), in steps of one over the
    field of view. If a `SamplingMask` has a field of view, samples are drawn
    with the proportions of these steps, so k-space of square pixels is a
    square, whatever the matrix.

    Args:
        mask: `SamplingMask`, or centred binary array `(H, W)`, `(1, W)` or
            `(H, 1)`. Lines are drawn over the whole of k-space if its size is
            known, else over a square.
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
    shown = mask
    mask, aspect = mask_and_aspect("mask", shown)
    if not np.isin(mask, (0, 1)).all():
        raise invalid(
            "mask",
            "a binary mask, zeros and ones",
            found=f"values from {mask.min()} to {mask.max()}",
        )
    panels = 1
    if probability is not None:
        panels = 2
        if np.shape(probability) == np.shape(shown):
            probability = np.broadcast_to(probability, mask.shape)
        probability = frequencies("probability", probability)
        _check_probability("probability", probability)
        if probability.shape != mask.shape:
            raise invalid(
                "probability",
                f"the shape of the mask, {mask.shape}",
                found=f"shape={probability.shape}",
            )
    figure = get_figure(figure, 4.0 * panels + 0.4 * (panels - 1), 4.0)
    axes = figure.subplots(1, panels, squeeze=False)[0]

    sampled = mask.mean()
    acceleration = f"R = {1 / sampled:.2f}" if sampled else "nothing acquired"
    axes[0].set_title(f"Mask: {100 * sampled:.1f} % ({acceleration})")
    _draw_frequencies(axes[0], mask, cmap="gray", vmin=0, vmax=1, aspect=aspect)
    if probability is not None:
        axes[1].set_title(f"Probability: mean {probability.mean():.3f}")
        image = _draw_frequencies(
            axes[1],
            probability,
            cmap="viridis",
            vmin=0,
            vmax=1,
            aspect=aspect,
        )
        axes[1].set_ylabel("")
        figure.colorbar(image, ax=axes[1], fraction=0.046, pad=0.03)
    return figure


def mask_description(mask, title="mask", figure=None, show_mask=True):
    """Draw a mask, its density and its point-spread function.

    The density is the share of acquired entries by distance from DC. The
    point-spread function, in percent of its peak, is the zero-filled
    reconstruction of a point; its largest side lobe is marked.

    Args:
        mask: `SamplingMask`.
        title: String, the name of the mask.
        figure: (Optional) figure or sub-figure to draw into.
        show_mask: Boolean. If `False`, the mask itself is not drawn, for a
            page that shows it elsewhere.

    Returns:
        The figure.
    """
    panels = 3 if show_mask else 2
    figure = get_figure(figure, 4.0 * panels, 4.0)
    *first, density, spread = figure.subplots(1, panels)
    for ax in first:
        ax.set_title(f"{plain(title)}: R = {mask.achieved_acceleration:.4g}")
        array, aspect = mask_and_aspect("mask", mask)
        _draw_frequencies(ax, array, cmap="gray", vmin=0, vmax=1, aspect=aspect)
    _draw_density(density, {title: mask})
    _draw_point_spread(spread, {title: mask})
    return figure


def mask_comparison(masks, figure=None):
    """Draw two masks, their overlap, densities and point-spread functions.

    Args:
        masks: Dictionary from title to `SamplingMask`, with two masks of the
            same size. Lines extend over the whole of k-space, so they can be
            compared with points.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.
    """
    if len(masks) != 2:
        raise invalid("masks", "two masks", found=f"{list(masks)}")
    masks = {plain(title): mask for title, mask in masks.items()}
    (first, mask), (second, other) = masks.items()
    common = overlap(mask, other)
    figure = get_figure(figure, 12.0, 8.0)
    axes = figure.subplots(2, 3)
    arrays = np.broadcast_arrays(mask.array, other.array)
    for ax, (title, one) in zip(axes[0], masks.items()):
        ax.set_title(f"{title}: R = {one.achieved_acceleration:.4g}")
        array, aspect = mask_and_aspect("mask", one)
        _draw_frequencies(ax, array, cmap="gray", vmin=0, vmax=1, aspect=aspect)
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = ["black", COLOURS[0], COLOURS[1], "white"]
    axes[0, 2].set_title(f"both: {common['jaccard']:.1%} of either")
    _draw_frequencies(
        axes[0, 2],
        frequencies("masks", arrays[0] + 2 * arrays[1].astype(int)),
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

    The figure is like figure 4 of the 4S paper (Martinini et al., BioCAS
    2022).

    Args:
        masks: Dictionary from title to an array `(H, W)`, `(1, W)` or `(H, 1)`
            with values in [0, 1] and DC at `(H // 2, W // 2)`. `None` leaves a
            place empty.
        columns: Integer, number of masks in a row. Defaults to all of them.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.
    """
    if not masks:
        raise invalid("masks", "one mask or more", found="none")
    columns = columns or len(masks)
    rows = -(-len(masks) // columns)
    figure = get_figure(figure, 1.9 * columns, 2.2 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, mask) in zip(axes.flat, masks.items()):
        if mask is None:
            continue
        mask = frequencies(title, mask)
        _check_probability(title, mask)
        _draw_frequencies(ax, mask, cmap="gray", vmin=0, vmax=1)
        ax.set_title(plain(title), fontsize=8)
    return figure


def probability_histogram(probabilities, bins=50, figure=None):
    """Draw a histogram of the probabilities of a mask.

    It shows how close they are to binary, as in figure 2 of the 4S paper
    (Martinini et al., BioCAS 2022): a mask that can be thresholded without
    loss has two peaks, at 0 and at 1. The legend gives the share of entries
    outside [0.05, 0.95].

    Args:
        probabilities: Array of probabilities in [0, 1], of any shape, or a
            dictionary of such arrays by name.
        bins: Integer, the number of bins on [0, 1].
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.
    """
    from keras import ops

    if not isinstance(probabilities, dict):
        probabilities = {"mask": probabilities}
    figure = get_figure(figure, 6.0, 4.3)
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
            label=f"{plain(name)}: {100 * binary:.1f} % near-binary",
        )
    axes.set_yscale("log")
    axes.set_xlim(0, 1)
    axes.set_title("Histogram of the mask probabilities")
    axes.set_xlabel("probability that an entry is acquired")
    axes.set_ylabel("share of entries")
    axes.grid(alpha=0.3)
    # Below the axes, the legend does not cover a curve.
    figure.legend(loc="outside lower center", frameon=False)
    return figure


def _check_probability(name, values):
    # Written so that NaN fails too.
    if not (values.size and values.min() >= 0 and values.max() <= 1 + 1e-6):
        raise invalid(
            name,
            "probabilities in [0, 1]",
            found=f"{values.size} values from {values.min(initial=np.inf)} to "
            f"{values.max(initial=-np.inf)}",
        )


def _draw_frequencies(ax, array, **kwargs):
    height, width = array.shape
    left, top = -(width // 2) - 0.5, -(height // 2) - 0.5
    ax.set_xlabel("k along W, cycles per field of view")
    ax.set_ylabel("k along H, cycles per field of view")
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
    ax.set_xlabel("distance from DC, relative to half of k-space")
    ax.set_ylabel("share acquired")
    ax.grid(alpha=0.3)
    if len(masks) > 1:
        ax.legend(frameon=False)


def _draw_point_spread(ax, masks, floor=0.1):
    """Draw curves for lines, or an image for points, in percent of the peak.

    The scale is logarithmic, since most side lobes are low; lower values than
    `floor` are drawn as `floor`.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import StrMethodFormatter

    unit, plain_number = "% of the peak", StrMethodFormatter("{x:g}")
    titles = []
    for i, (title, mask) in enumerate(masks.items()):
        lobe = side_lobe(mask)
        percent = np.maximum(100 * point_spread(mask), floor)
        titles.append(f"{100 * lobe['height']:.1f} %")
        style = {"color": COLOURS[i], "markerfacecolor": "none"}
        if mask.lines:
            values = percent.ravel()
            pixels = np.arange(values.size) - values.size // 2
            ax.plot(pixels, values, STYLES[i], color=COLOURS[i], label=title)
            place = lobe["place"][mask.lines == "columns"]
            ax.plot(place, max(100 * lobe["height"], floor), "o", **style)
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter(plain_number)
            ax.set_xlabel("pixels from the point")
            ax.set_ylabel(unit)
            ax.grid(alpha=0.3)
            continue
        rows, columns = mask.shape
        left, top = -(columns // 2) - 0.5, -(rows // 2) - 0.5
        # These pixels are those of the image, not of k-space.
        size = mask.voxel_size
        image = ax.imshow(
            percent,
            aspect="equal" if size is None else size[0] / size[1],
            extent=(left, left + columns, top + rows, top),
            cmap="viridis",
            norm=LogNorm(floor, 100),
        )
        bar = {"fraction": 0.046, "pad": 0.03, "format": plain_number}
        ax.figure.colorbar(image, ax=ax, label=unit, **bar)
        style["color"] = "white"
        ax.plot(*lobe["place"][::-1], "o", markersize=8, **style)
        ax.set_xlabel("pixels along W")
        ax.set_ylabel("pixels along H")
    ax.set_title(f"Point spread: side lobe {' and '.join(titles)}")
    if len(masks) > 1:
        ax.legend(frameon=False)
