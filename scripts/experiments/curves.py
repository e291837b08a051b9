"""Curves of trainings, epoch by epoch."""

import numpy as np

from experiments.panels import panels
from loupe_tf.plots.drawing import COLOURS


def draw_validation(cells, order, metrics):
    """Validation metrics, a column for each R, a line for each seed.

    Args:
        cells: Dict by `(acceleration, mask)` of lists of records, whose trace
            has `val_` and the name of each metric.
        order: Names of masks, by which colours are told.
        metrics: Names of metrics; the first has a logarithmic axis.

    Returns:
        The figure.
    """
    rates = list(dict.fromkeys(rate for rate, _ in cells))
    size = (1.5 / len(rates) + 4, 2.5)
    figure, axes = panels(len(metrics), len(rates), size, sharex=True)
    for (rate, mask), records in cells.items():
        column = axes[:, rates.index(rate)]
        column[0].set(title=f"R = {rate:g}", yscale="log")
        column[-1].set_xlabel("epoch")
        for ax, name in zip(column, metrics):
            for i, record in enumerate(records):
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
    return figure
