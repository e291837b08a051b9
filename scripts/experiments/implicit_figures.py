"""Figures of implicit models, with their captions.

Each function returns a pair `(figure, caption)` for `experiments.publish`. A
test is a callable from a record to its metrics by volume, as in
`experiments.cells`.
"""

import itertools

import numpy as np

from experiments.cells import means, partner
from experiments.panels import errorbars, panels

PSNR = "PSNR [dB]"


def draw_against_time(cells, volumes, titles):
    """Draw PSNR against the time of the gradient, for each size.

    It is the difference to the exact gradient of the same fold and seed, where
    that is there: patients differ more than gradients.

    Args:
        cells: Dict of lists of records by cell: filters, iterations and method.
        volumes: The test.
        titles: Dict of names by method, in order; others are not drawn.
    """
    caption = (
        "PSNR of the test patients less that of the exact gradient, against "
        "the median time of the gradient of one batch; left and up is better. "
        "Error bars over folds and seeds."
    )
    sizes = list(
        dict.fromkeys(
            (k.filters, k.iterations) for k in cells if k.method in titles
        )
    )
    # One method alone is no comparison.
    sizes = [
        size
        for size in sizes
        if sum(k[:2] == size and k.method in titles for k in cells) > 1
    ]
    if not sizes:
        return None, caption
    figure, axes = panels(1, len(sizes), (4.8, 3.6))
    for ax, (filters, iterations) in zip(axes[0], sizes):
        by_method = {
            k.method: [record for record in x if volumes(record)]
            for k, x in cells.items()
            if k[:2] == (filters, iterations)
        }
        exact = {
            partner(record): means([record], volumes)[0]
            for record in by_method.get("exact", [])
        }
        for method, title in titles.items():
            records = by_method.get(method, [])
            if exact:
                records = [r for r in records if partner(r) in exact]
            if not records:
                continue
            times = [r["processor_milliseconds"] for r in records]
            found = [
                value - exact.get(partner(record), 0.0)
                for record, value in zip(records, means(records, volumes))
            ]
            errorbars(
                ax,
                {float(np.median(times)): found},
                marker="o",
                linestyle="none",
                label=title,
            )
        ax.set(
            title=f"{filters} filters, {iterations} iterations",
            xlabel="time of the gradient [ms of the processor]",
            xlim=(0, None),
            ylabel="PSNR less that of exact [dB]" if exact else PSNR,
        )
        ax.legend(frameon=False, fontsize=8)
    return figure, caption


def draw_against_iterations(cells, volumes_with, titles):
    """Draw PSNR against the iterations in the test.

    Each kind of network has a row, and each number of filters a column.

    Args:
        cells: Dict of lists of records by cell: network, filters, epochs,
            iterations and method.
        volumes_with: Callable from a number of iterations to a test.
        titles: Dict of names by method.
    """
    caption = (
        "PSNR of the test patients against the iterations in the test, after a "
        "training with the number in the legend (circled). Means over folds "
        "and seeds."
    )
    shown = {k: [r for r in x if r["test"]] for k, x in cells.items()}
    shown = {k: x for k, x in shown.items() if x}
    if not shown:
        return None, caption
    kinds = list(dict.fromkeys(k.network for k in shown))
    sizes = sorted({k.filters for k in shown})
    figure, axes = panels(len(kinds), len(sizes), (4.8, 3.6))
    networks = itertools.product(kinds, sizes)
    colours = {}
    several = len({k.epochs for k in shown}) > 1
    for ax, (network, filters) in zip(axes.flat, networks, strict=True):
        own = {k: x for k, x in shown.items() if k[:2] == (network, filters)}
        for k, records in own.items():
            counts = {int(n) for n in records[0]["tested"]} | {k.iterations}
            found = {
                n: float(np.mean(means(records, volumes_with(n))))
                for n in sorted(counts)
            }
            training = k.iterations, k.epochs
            colour = colours.setdefault(training, f"C{len(colours)}")
            label = f"{titles[k.method]}, {k.iterations}"
            if several:
                label += f", {k.epochs} epochs"
            ax.plot(
                list(found),
                list(found.values()),
                "--" if k.method == "unrolled" else "-",
                marker=".",
                color=colour,
                label=label,
            )
            ax.plot(
                k.iterations,
                found[k.iterations],
                "o",
                color=colour,
                markersize=10,
                markerfacecolor="none",
            )
        if not own:
            ax.set_axis_off()
            continue
        counts = sorted({n for line in ax.lines for n in line.get_xdata()})
        ax.set_xscale("log")
        ax.set_xticks(counts, [f"{n:g}" for n in counts])
        ax.set_xticks([], minor=True)
        ax.set(
            title=f"{network}, {filters} filters",
            xlabel="iterations in the test",
            ylabel=PSNR,
        )
        ax.legend(frameon=False, fontsize=8)
    return figure, caption
