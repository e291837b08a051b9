"""Figures of a training run."""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.plots.drawing import COLOURS, STYLES, get_figure


def training_curves(history, validation_freq=1, figure=None):
    """Draw the loss of a run and, if logged, slope and learning rate.

    Args:
        history: Dictionary of lists with one value per epoch, such as
            `model.fit(...).history`. The function uses `"loss"`, `"val_loss"`,
            every name that ends in `"slope"`, `"learning_rate"` and `"round"`.
            A vertical line marks where `"round"` changes, for instance at the
            beginning of the second round of 4S.
        validation_freq: Integer, number of epochs from one validation to the
            next.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure, with panels below each other over the same epochs.
    """
    from matplotlib.ticker import LogFormatter

    class PlainNumbers(LogFormatter):
        """Three digits, so that neighbouring ticks differ."""

        def __call__(self, x, pos=None):
            return f"{x:.3g}" if super().__call__(x, pos) else ""

    slopes = [name for name in history if name.endswith("slope")]
    panels = [
        ("loss", ["loss", "val_loss"]),
        ("slope", slopes),
        ("learning rate", ["learning_rate"]),
    ]
    panels = [
        (label, [name for name in names if name in history])
        for label, names in panels
    ]
    panels = [(label, names) for label, names in panels if names]
    if not panels:
        raise invalid(
            "history",
            "a dictionary with a loss, a slope or a learning rate",
            found=f"names={list(history)}",
        )
    figure = get_figure(figure, 7.0, 1.6 + 1.7 * len(panels))
    axes = figure.subplots(
        len(panels),
        sharex=True,
        squeeze=False,
        height_ratios=[2 if label == "loss" else 1 for label, _ in panels],
    )[:, 0]

    for ax, (label, names) in zip(axes, panels, strict=True):
        for i, name in enumerate(names):
            ax.plot(
                *_points(name, history[name], validation_freq),
                # Without a marker, a single epoch would be invisible.
                marker="." if len(history[name]) < 20 else None,
                color=COLOURS[i % len(COLOURS)],
                linestyle=STYLES[i % len(STYLES)],
                label=name,
            )
        ax.set_yscale("log")
        # Plain numbers, not powers of ten: a slope of 20 is read as 20.
        ax.yaxis.set_major_formatter(PlainNumbers())
        ax.yaxis.set_minor_formatter(PlainNumbers(labelOnlyBase=False))
        ax.set_ylabel(label)
        ax.grid(alpha=0.3)
        if len(names) > 1:
            ax.legend(frameon=False)
    _mark_rounds(axes, history.get("round", ()))
    axes[0].set_title("Training")
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    return figure


def _points(name, values, validation_freq):
    """Return epochs and their values."""
    step = validation_freq if name.startswith("val_") else 1
    if None in values:  # Epochs without a value have `None`.
        step = 1
    points = [
        (step * epoch, value)
        for epoch, value in enumerate(values, 1)
        if value is not None
    ]
    return np.asarray(points, dtype=float).reshape(-1, 2).T


def _mark_rounds(axes, rounds):
    for epoch in np.flatnonzero(np.diff(rounds)) + 1:
        for ax in axes:
            ax.axvline(epoch + 0.5, color="0.4", linestyle=":", linewidth=1)
        axes[0].annotate(
            f"round {rounds[epoch]:g}",
            (epoch + 0.5, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -4),
            textcoords="offset points",
            va="top",
            color="0.3",
        )
