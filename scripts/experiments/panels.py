"""Panels for curves, all of one size."""

from matplotlib.figure import Figure


def panels(rows, columns, size, **subplots):
    """A figure of panels with a grid.

    Args:
        rows, columns: Integers.
        size: Tuple of floats, width and height of a panel in inches.
        **subplots: Of `Figure.subplots`, such as `sharey=True`.

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
