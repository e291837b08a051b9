"""Figures that compare slopes and other methods, with their captions.

Each function returns a pair `(figure, caption)` for `experiments.publish`; the
figure is `None` if there is nothing to draw.

`cells` below are dicts of lists of records by the `cell` of the script's runs:
the acceleration, the method, the protocol, the slope (`None` if the method
changes it) and the calibration region. `images` is the result of
`experiments.first_images` for these cells. `volumes` is as in
`experiments.cells`.
"""

import itertools

import numpy as np

from experiments.binarizations import REALIZATIONS
from experiments.cells import means
from experiments.panels import errorbars, panels
from experiments.presets.four_s import OF_PAPER
from loupe_tf import plots

PSNR = "PSNR [dB], exact-budget mask"


def label(cell):
    """The name of a cell's method in tables and figures."""
    return cell.method if cell.slope is None else f"s = {cell.slope:g}"


def place(cell):
    """A title with the acceleration of a cell, and its region if any."""
    text = f"R = {cell.acceleration:g}"
    return text if cell.region == "none" else f"{text}, with a region"


def draw_against_slope(cells, volumes):
    """Draw PSNR against the slope; 4S is at the slope that it found."""
    caption = (
        "Figure 3 of the paper. PSNR on the test volumes against the slope; "
        "error bars over seeds, and over the slopes found."
    )
    cells = {k: x for k, x in cells.items() if k.method in OF_PAPER}
    if not cells:
        return None, caption
    by_place = _by_place(cells)
    figure, axes = panels(1, len(by_place), (4.8, 4.0))
    for ax, (title, own) in zip(axes[0], by_place.items()):
        for protocol, marker in ("one_round", "o"), ("two_rounds", "s"):
            fixed = {
                cell.slope: means(records, volumes)
                for cell, records in own.items()
                if (cell.method, cell.protocol) == ("fixed", protocol)
            }
            text = f"fixed, {protocol.replace('_', ' ')}"
            errorbars(ax, fixed, marker=marker, label=text)
        for four_s in (x for k, x in own.items() if k.method == "4s"):
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
        ax.set(xscale="log", title=title, xlabel="slope s")
        ax.set_ylabel(PSNR)
        ax.legend(frameon=False, fontsize=8)
    return figure, caption


def draw_methods(cells, volumes):
    """Draw the PSNR of each method in two rounds, one per row; 4S in red."""
    caption = (
        "PSNR of all that was trained in two rounds; error bars over seeds."
    )
    if all(cell.method in OF_PAPER for cell in cells):
        return None, caption
    cells = {k: x for k, x in cells.items() if k.protocol == "two_rounds"}
    by_place, labels = _by_place(cells), list(dict.fromkeys(map(label, cells)))
    size = (4.8, 1.2 + 0.3 * len(labels))
    figure, axes = panels(1, len(by_place), size, sharey=True)
    for ax, (title, own) in zip(axes[0], by_place.items()):
        for cell, records in own.items():
            errorbars(
                ax,
                {labels.index(label(cell)): means(records, volumes)},
                horizontal=True,
                marker="o",
                color="tab:red" if cell.method == "4s" else "tab:blue",
            )
        ax.set_yticks(range(len(labels)), labels)
        ax.set(title=title, xlabel=PSNR)
    axes[0, 0].invert_yaxis()
    return figure, caption


def draw_probabilities(images, of_paper=True):
    """Draw probability masks of the paper's methods, or of the others."""
    caption = (
        "Figure 4 of the paper. Probability masks, two rounds, first seed. DC "
        "is in the centre."
        if of_paper
        else "Probability masks of the other methods, first seed."
    )
    shown = {
        k: x for k, x in images.items() if (k.method in OF_PAPER) == of_paper
    }
    if not shown:
        return None, caption
    labels = list(dict.fromkeys(map(label, shown)))
    places = itertools.product(_by_place(shown), labels)
    gallery = {f"{title}, {text}": None for title, text in places}
    for cell, x in shown.items():
        gallery[f"{place(cell)}, {label(cell)}"] = x["probability"]
    return plots.masks(gallery, columns=min(len(labels), 8)), caption


def draw_histograms(images, rate):
    """Draw how often points are acquired with the paper's methods."""
    averages = {
        label(cell): x["average"]
        for cell, x in images.items()
        if cell.acceleration == rate
        and cell.region == "none"
        and cell.method in OF_PAPER
    }
    figure = plots.probability_histogram(averages) if averages else None
    if figure is not None:
        figure.axes[0].set(
            title=f"Histogram of the average of {REALIZATIONS} relaxed masks",
            xlabel="average of an entry",
        )
    return figure, (
        f"Figure 2 of the paper, R = {rate:g}: the average of {REALIZATIONS} "
        "realizations of the mask, two rounds, first seed."
    )


def draw_trace(cells, rate):
    """Draw a training with 4S, epoch by epoch."""
    traces = [
        records[0]["trace"]
        for cell, records in cells.items()
        if (cell.acceleration, cell.method) == (rate, "4s")
    ]
    figure = plots.training_curves(traces[0]) if traces else None
    return figure, (
        f"4S at R = {rate:g}, first seed: loss, slope and learning rate."
    )


def _by_place(cells):
    """Dicts of cells by `place`, in order."""
    found = {}
    for cell, value in cells.items():
        found.setdefault(place(cell), {})[cell] = value
    return found
