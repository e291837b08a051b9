"""Panels of equal size for curves."""

import numpy as np
from matplotlib.figure import Figure


def panels(rows, columns, size, **subplots):
    """Make a figure of panels with grid lines.

    Args:
        rows, columns: Integers.
        size: Tuple of floats, width and height of a panel in inches.
        **subplots: Arguments of `Figure.subplots`, such as `sharey=True`.

    Returns:
        A pair: the figure, and the array `(rows, columns)` of its axes.
    """
    figure = Figure(
        figsize=(size[0] * columns, size[1] * rows), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False, **subplots)
    for ax in axes.flat:
        ax.grid(alpha=0.3)
    return figure, axes


def errorbars(ax, groups, horizontal=False, **style):
    """Draw means with their standard deviations.

    Args:
        ax: Axes.
        groups: Dict of lists of values by their position; empty lists are
            skipped.
        horizontal: Boolean. Whether the values run along x.
        **style: Arguments of `Axes.errorbar`.
    """
    groups = {place: values for place, values in groups.items() if len(values)}
    if not groups:
        return
    means = [np.mean(values) for values in groups.values()]
    deviations = [np.std(values) for values in groups.values()]
    if horizontal:
        ax.errorbar(means, list(groups), xerr=deviations, capsize=3, **style)
    else:
        ax.errorbar(list(groups), means, deviations, capsize=3, **style)
