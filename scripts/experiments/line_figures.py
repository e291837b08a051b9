"""Figures of reconstructions from lines, with their captions.

Each function returns a pair `(figure, caption)` for `experiments.publish`; the
figure is `None` if there is nothing to draw. `images` is the result of
`experiments.first_images` for cells `(acceleration, mask)`.
"""

import numpy as np

from experiments.cells import rates_of
from experiments.panels import panels
from experiments.showing import draw_rows
from loupe_tf import plots
from loupe_tf.plots.drawing import COLOURS


def draw_validation(cells, order, metrics):
    """Draw validation metrics, with a column per R and a line per seed.

    Args:
        cells: Dict by `(acceleration, mask)` of lists of records, whose traces
            have `val_` and the name of each metric.
        order: Names of masks, whose order sets the colours.
        metrics: Names of metrics; the first has a logarithmic axis.
    """
    rates = rates_of(cells)
    size = (1.5 / len(rates) + 4, 2.5)
    figure, axes = panels(len(metrics), len(rates), size, sharex=True)
    for (rate, mask), records in cells.items():
        column = axes[:, rates.index(rate)]
        column[0].set(title=f"R = {rate:g}", yscale="log")
        column[-1].set_xlabel("epoch")
        for ax, name in zip(column, metrics):
            # Packed records have a trace only for the first seed.
            traced = [record for record in records if "trace" in record]
            for i, record in enumerate(traced):
                values = np.array(record["trace"][f"val_{name}"], "float")
                ax.plot(
                    np.arange(1, len(values) + 1),
                    values,
                    color=COLOURS[order.index(mask)],
                    linewidth=1,
                    marker="." if len(values) < 10 else None,
                    label=None if i else mask,
                )
    for ax, name in zip(axes[:, 0], metrics):
        unit = " [dB]" if name == "psnr" else ""
        ax.set_ylabel(f"validation {name.upper()}{unit}")
    for ax in axes.flat:
        ax.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4, frameon=False
    )
    return figure, (
        "Validation in each epoch, a line for each seed; metrics of slices. "
        "The learning rate falls after four fifths of the epochs."
    )


def draw_masks(images):
    """Draw masks, with a row for each R."""
    rates = [rate for rate, _ in images]
    shown = {f"{m}, R = {r:g}": x["mask"] for (r, m), x in images.items()}
    figure = None
    if images:
        figure = plots.masks(shown, columns=max(map(rates.count, rates)))
    return figure, (
        "Masks, first seed; those of the volume below where each volume has "
        "one. DC is in the centre."
    )


def draw_reconstructions(images, rate, rows):
    """Draw the same slice for each mask, with a row for each reconstruction.

    Args:
        images: See the head of this file; some have the acceleration `rate`.
        rate: Float.
        rows: Argument of `draw_rows`.
    """
    groups = {mask: x for (of, mask), x in images.items() if of == rate}
    return draw_rows(groups, rows), (
        f"R = {rate:g}, first seed, the middle slice of the first test volume: "
        "above by the U-Net, below zero-filled."
    )
