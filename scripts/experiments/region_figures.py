"""Figures of initial slopes and calibration regions."""

import itertools

import numpy as np

from experiments.panels import panels


def draw_by_region(cells, regions, slopes, psnr):
    """Draw the PSNR of the validation volumes against the initial slope.

    Args:
        cells: Dict of lists of records by `(size, estimator, acceleration,
            lines, region, slope)`, all with the same estimator.
        regions: Names of calibration regions.
        slopes: The ticks of the axis.
        psnr: Callable `(records, split)` that returns the PSNR by seed.

    Returns:
        The figure, with a row per size and a column per kind of mask.
    """
    sizes = sorted({key[0] for key in cells})
    columns = {key[2:4] for key in cells}
    columns = sorted(columns, key=lambda mask: (mask[0], mask[1] or "points"))
    figure, axes = panels(len(sizes), len(columns), (2.6, 2.4))
    for (i, size), (j, mask) in itertools.product(
        enumerate(sizes), enumerate(columns)
    ):
        ax = axes[i, j]
        for region, colour in zip(regions, ("C1", "C2", "C0")):
            points = [
                (key[-1], np.mean(psnr(records, "validation")))
                for key, records in cells.items()
                if (key[0], *key[2:5]) == (size, *mask, region)
            ]
            if points:
                ax.semilogx(*zip(*points), "o-", ms=4, c=colour, label=region)
        name = f"R = {mask[0]:g}, {mask[1] or 'points'}"
        ax.set_title(f"{size}×{size}, {name}", fontsize=9)
        ax.set_xticks(slopes, [f"{slope:g}" for slope in slopes])
        ax.minorticks_off()
        ax.set_visible(bool(ax.lines))
    for ax in axes[-1]:
        ax.set_xlabel("initial slope")
    for ax in axes[:, 0]:
        ax.set_ylabel("PSNR [dB]")
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, title="region", loc="outside right")
    return figure
