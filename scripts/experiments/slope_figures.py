"""Figures of what slopes, and other methods, are worth.

`cells` below are dicts of lists of records by `(acceleration, method, protocol,
slope)`, the slope being `None` where a method changes it; `volumes` is as in
`experiments.cells`.
"""

import itertools

import numpy as np

from experiments.cells import means
from experiments.panels import errorbars, panels
from loupe_tf import plots

PSNR = "PSNR [dB], exact-budget mask"


def label(cell):
    """How tables and figures name the method of a cell."""
    _, method, _, slope = cell
    return method if slope is None else f"s = {slope:g}"


def rates_of(cells):
    """The accelerations of cells, in their order."""
    return list(dict.fromkeys(rate for rate, *_ in cells))


def draw_against_slope(cells, volumes):
    """PSNR against the slope, that of 4S at the slope that it found."""
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
    return figure


def draw_methods(cells, volumes):
    """PSNR of each method, a row each; 4S in red."""
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
    return figure


def draw_probabilities(images):
    """Probability masks, a row for each R.

    Args:
        images: Dict by cell of dicts with `"probability"`.
    """
    labels = list(dict.fromkeys(map(label, images)))
    places = itertools.product(rates_of(images), labels)
    gallery = {f"R = {rate:g}, {text}": None for rate, text in places}
    for cell, x in images.items():
        gallery[f"R = {cell[0]:g}, {label(cell)}"] = x["probability"]
    return plots.masks(gallery, columns=min(len(labels), 8))
