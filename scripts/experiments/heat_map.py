"""A square table as a heat map."""

import numpy as np
from matplotlib.figure import Figure


def heat_map(matrix, names):
    """Draw numbers on coloured squares; the diagonal is bold.

    Args:
        matrix: Masked array `(n, n)`; masked entries stay blank.
        names: List of n strings, the names of rows and columns.

    Returns:
        A pair: the figure and its axes.
    """
    figure = Figure(figsize=(7.5, 6.0), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(matrix, cmap="viridis")
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    middle = (matrix.min() + matrix.max()) / 2
    for (i, j), value in np.ma.ndenumerate(matrix):
        ax.text(
            j,
            i,
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=9,
            fontweight="bold" if i == j else None,
            color="white" if value < middle else "black",
        )
    figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03)
    return figure, ax
