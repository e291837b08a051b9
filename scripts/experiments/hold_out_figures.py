"""Figures of trainings that hold samples out."""

import numpy as np

from experiments.cells import means, partner
from experiments.panels import panels


def draw_ratios(cells, volumes, titles, held_out, others):
    """Draw the PSNR against the share of samples that is held out.

    Args:
        cells: Dict of lists of records by cell, with the fields `mask`,
            `method` and `ratio`.
        volumes: See `experiments.cells`.
        titles: Dict of the names of masks.
        held_out: String, the method to draw.
        others: Dict of titles by method; these hold nothing out, and are drawn
            as horizontal lines.

    Returns:
        A pair `(figure, caption)` for `experiments.publish`; the figure is
        `None` if no mask has three shares.
    """
    caption = (
        "Hold-out: PSNR against the share of acquired samples that is held "
        "out, for folds and seeds that have all shares; a thin line for each, "
        "and their mean."
    )
    masks = {}
    for cell, records in cells.items():
        if cell.coils == 1:
            found = masks.setdefault(cell.mask, {}).setdefault(cell.method, {})
            found[cell.ratio] = {
                partner(record): judged[0]
                for record in records
                if (judged := means([record], volumes))
            }
    masks = {
        mask: found
        for mask, found in masks.items()
        if len(found.get(held_out, {})) > 2
    }
    if not masks:
        return None, caption
    figure, axes = panels(1, len(masks), (5.0, 3.6))
    for ax, (mask, found) in zip(axes[0], masks.items()):
        ratios = sorted(found[held_out])
        curves = [found[held_out][ratio] for ratio in ratios]
        common = sorted(set.intersection(*map(set, curves)))
        values = np.array([[curve[key] for key in common] for curve in curves])
        ax.plot(ratios, values, color="tab:blue", alpha=0.3)
        ax.plot(ratios, values.mean(1), "o-", color="tab:blue")
        for style, (method, title) in zip(("--", ":"), others.items()):
            # One share, which means nothing to them.
            for of_ratio in found.get(method, {}).values():
                mean = np.mean([of_ratio.get(key, np.nan) for key in common])
                ax.axhline(mean, color="black", linestyle=style, label=title)
        ax.set(title=titles[mask], xlabel="share held out", ylabel="PSNR [dB]")
        ax.legend()
    return figure, caption


def draw_energy(cells, titles):
    """Draw the energy of what was held out, epoch by epoch.

    Args:
        cells: Dict of lists of records by cell, with the fields `mask` and
            `method`; those whose trace has no energy are skipped.
        titles: Dict of the names of methods.

    Returns:
        A pair `(figure, caption)` for `experiments.publish`; the figure is
        `None` if nothing has a trace of its energy.
    """
    caption = (
        "Energy of held-out samples in the reconstruction, relative to the "
        "measured energy, in training; a line for each fold or seed. A dot is "
        "where CollapseAlarm warns."
    )
    traces = [
        (cell, record)
        for cell, records in cells.items()
        for record in records
        if "energy_ratio" in record.get("trace", {})
    ]
    if not traces:
        return None, caption
    methods = list(dict.fromkeys(cell.method for cell, _ in traces))
    figure, axes = panels(1, 1, (6.0, 3.6))
    ax = axes[0, 0]
    named = set()
    for cell, record in traces:
        energy = np.array(record["trace"]["energy_ratio"], "float")
        epochs = np.arange(1, len(energy) + 1)
        (line,) = ax.plot(
            epochs,
            energy,
            color=f"C{methods.index(cell.method)}",
            alpha=0.7,
            label=None if cell.method in named else titles[cell.method],
            marker="." if len(energy) == 1 else None,  # One point is no line.
        )
        named.add(cell.method)
        alarm = record.get("alarm")
        if alarm is not None:
            ax.plot(alarm + 1, energy[alarm], "o", color=line.get_color())
    ax.axhline(1.0, color="black", linewidth=0.8)
    ax.set(xlabel="epoch", ylabel="energy ratio")
    ax.legend()
    return figure, caption
