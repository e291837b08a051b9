"""Figures of what slopes, and other methods, are worth, with their captions.

Each function returns a pair `(figure, caption)`, as `experiments.publish` takes
it; the figure is `None` where there is nothing to draw.

`cells` below are dicts of lists of records by `(acceleration, method, protocol,
slope)`, the slope being `None` where a method changes it; `images` is what
`experiments.first_images` returns of them, and `volumes` as in
`experiments.cells`.
"""

import itertools

import numpy as np

from experiments.binarizations import REALIZATIONS
from experiments.cells import means, rates_of
from experiments.panels import errorbars, panels
from experiments.presets.four_s import OF_PAPER
from loupe_tf import plots

PSNR = "PSNR [dB], exact-budget mask"


def label(cell):
    """How tables and figures name the method of a cell."""
    _, method, _, slope = cell
    return method if slope is None else f"s = {slope:g}"


def draw_against_slope(cells, volumes):
    """PSNR against the slope, that of 4S at the slope that it found."""
    caption = (
        "Figure 3 of the paper. PSNR on the test volumes against the slope; "
        "error bars over seeds, and over the slopes found."
    )
    if not any(method in OF_PAPER for _, method, *_ in cells):
        return None, caption
    rates = rates_of(cells)
    figure, axes = panels(1, len(rates), (4.8, 4.0))
    for ax, rate in zip(axes[0], rates):
        for protocol, marker in ("one_round", "o"), ("two_rounds", "s"):
            fixed = {
                slope: means(records, volumes)
                for (*cell, slope), records in cells.items()
                if cell == [rate, "fixed", protocol]
            }
            text = f"fixed, {protocol.replace('_', ' ')}"
            errorbars(ax, fixed, marker=marker, label=text)
        four_s = cells.get((rate, "4s", "two_rounds", None))
        if four_s:
            slopes = [r["slope_found"] for r in four_s]
            mean = np.mean(slopes)
            errorbars(
                ax,
                {mean: means(four_s, volumes)},
                xerr=[[mean - min(slopes)], [max(slopes) - mean]],
                marker="*",
                markersize=12,
                linestyle="none",
                label="4s, two rounds",
            )
        ax.set(xscale="log", title=f"R = {rate:g}", xlabel="slope s")
        ax.set_ylabel(PSNR)
        ax.legend(frameon=False, fontsize=8)
    return figure, caption


def draw_methods(cells, volumes):
    """PSNR of each method in two rounds, a row each; 4S in red."""
    caption = (
        "PSNR of all that was trained in two rounds; error bars over seeds."
    )
    if all(method in OF_PAPER for _, method, *_ in cells):
        return None, caption
    cells = {k: x for k, x in cells.items() if k[2] == "two_rounds"}
    rates, labels = rates_of(cells), list(dict.fromkeys(map(label, cells)))
    size = (4.8, 1.2 + 0.3 * len(labels))
    figure, axes = panels(1, len(rates), size, sharey=True)
    for cell, records in cells.items():
        errorbars(
            axes[0, rates.index(cell[0])],
            {labels.index(label(cell)): means(records, volumes)},
            horizontal=True,
            marker="o",
            color="tab:red" if cell[1] == "4s" else "tab:blue",
        )
    for ax, rate in zip(axes[0], rates):
        ax.set_yticks(range(len(labels)), labels)
        ax.set(title=f"R = {rate:g}", xlabel=PSNR)
    axes[0, 0].invert_yaxis()
    return figure, caption


def draw_probabilities(images, of_paper=True):
    """Probability masks of the methods of the paper, or of the others."""
    caption = (
        "Figure 4 of the paper. Probability masks, two rounds, first seed. DC "
        "is in the centre."
        if of_paper
        else "Probability masks of the other methods, first seed."
    )
    shown = {k: x for k, x in images.items() if (k[1] in OF_PAPER) == of_paper}
    if not shown:
        return None, caption
    labels = list(dict.fromkeys(map(label, shown)))
    places = itertools.product(rates_of(shown), labels)
    gallery = {f"R = {rate:g}, {text}": None for rate, text in places}
    for cell, x in shown.items():
        gallery[f"R = {cell[0]:g}, {label(cell)}"] = x["probability"]
    return plots.masks(gallery, columns=min(len(labels), 8)), caption


def draw_histograms(images, rate):
    """How often a point is acquired, of the methods of the paper."""
    averages = {
        label(cell): x["average"]
        for cell, x in images.items()
        if cell[0] == rate and cell[1] in OF_PAPER
    }
    figure = plots.probability_histogram(averages) if averages else None
    return figure, (
        f"Figure 2 of the paper, R = {rate:g}: the average of {REALIZATIONS} "
        "realizations of the mask, two rounds, first seed."
    )


def draw_trace(cells, rate):
    """A training with 4S, epoch by epoch."""
    records = cells.get((rate, "4s", "two_rounds", None))
    figure = plots.training_curves(records[0]["trace"]) if records else None
    return figure, (
        f"4S at R = {rate:g}, first seed: loss, slope and learning rate."
    )
