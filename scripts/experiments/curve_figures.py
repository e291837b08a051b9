"""Figures of several trajectories beside each other."""

from experiments.panels import panels

MOST_SHOTS = 64


def draw_curves(shown, densities=True):
    """Draw the curves of trajectories, above them the densities.

    Args:
        shown: Dict by title of dicts with `"positions"`
            `(shots, samples, 2)` and, if known, `"density"` `(H, W)`.
        densities: Boolean, whether to draw the densities.

    Returns:
        The figure; `None` if there is nothing to draw.
    """
    if not shown:
        return None
    rows = 2 if densities else 1
    figure, axes = panels(rows, len(shown), (2.4, 2.5))
    for column, (title, found) in enumerate(shown.items()):
        curves = axes[-1, column]
        for shot in found["positions"][:MOST_SHOTS]:
            curves.plot(shot[:, 1], shot[:, 0], ".-", linewidth=0.5, ms=1.2)
        curves.set(xlim=(-0.52, 0.52), ylim=(0.52, -0.52), aspect="equal")
        if densities:
            axes[0, column].imshow(
                found["density"] ** 0.5, extent=(-0.5, 0.5, 0.5, -0.5)
            )
            axes[0, column].grid(False)
        for ax in axes[:, column]:
            ax.set_xticks([])
            ax.set_yticks([])
        axes[0, column].set_title(title, fontsize=8)
    return figure
