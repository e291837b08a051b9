"""A figure of claims, with an interval for each."""

from experiments.panels import panels

CAPTION = (
    "Gain in PSNR: mean over patients and its 95 % interval. Right of 0 the "
    "first is better; grey where the sign is uncertain."
)


def draw_gains(effects):
    """Draw intervals below each other, in the order of the table.

    Args:
        effects: Dict of `loupe_tf.evaluation.Effect` by the name of the
            comparison.

    Returns:
        A pair `(figure, caption)` for `experiments.publish`; the figure is
        `None` if there are no effects.
    """
    if not effects:
        return None, CAPTION
    figure, axes = panels(1, 1, (8.0, 0.9 + 0.28 * len(effects)))
    ax = axes[0, 0]
    colours = {"better": "tab:blue", "worse": "tab:red"}
    for row, found in enumerate(effects.values()):
        ax.errorbar(
            found.mean,
            row,
            xerr=[[found.mean - found.low], [found.high - found.mean]],
            marker="o",
            capsize=3,
            color=colours.get(found.verdict, "tab:grey"),
        )
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_yticks(range(len(effects)), list(effects))
    ax.set_ylim(len(effects) - 0.5, -0.5)
    ax.set_xlabel("gain [dB]")
    return figure, CAPTION
