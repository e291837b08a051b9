"""Loss curves of trainings at several drop rates."""

import numpy as np

from experiments.panels import panels


def draw_losses(cells, loss, order):
    """Draw training and validation losses, with a column per drop rate.

    Args:
        cells: Dict by `(loss, drop rate, mask)` of lists of records; the first
            record of each list is drawn.
        loss: String, the loss of the cells to draw.
        order: Names of masks, whose order sets the colours.

    Returns:
        The figure.
    """
    rates = list(dict.fromkeys(key[1] for key in cells if key[0] == loss))
    figure, axes = panels(1, len(rates), (4.2, 3.4), sharey=True)
    for (of, rate, mask), records in cells.items():
        if of != loss:
            continue
        ax = axes[0, rates.index(rate)]
        for key, style in (("loss", "-"), ("val_loss", "--")):
            ax.plot(
                np.array(records[0]["trace"][key], "float"),
                style,
                color=("tab:blue", "tab:orange")[order.index(mask)],
                label=mask if key == "loss" else f"{mask}, validation",
            )
        ax.set(yscale="log", title=f"drop rate {rate:g}", xlabel="epoch")
    axes[0, 0].set_ylabel(f"loss ({loss})")
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure
