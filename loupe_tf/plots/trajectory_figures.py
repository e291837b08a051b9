"""Figures of trajectories."""

import numpy as np

from loupe_tf.plots.drawing import COLOURS, get_figure

# More curves are a grey disc.
MOST_SHOTS = 64


def trajectory(trajectory, figure=None):
    """Draw the curves of a trajectory, and the first of them over time.

    Both axes of k-space are in cycles per pixel, with DC in the centre. The
    first shot is drawn thicker. At most 64 of the shots are drawn. For three
    axes, the curves are seen along the first.

    Args:
        trajectory: `Trajectory`.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.

    Example:

    ```python
    spiral = loupe_tf.trajectories.spiral(shots=8, samples=500, turns=5)
    loupe_tf.plots.trajectory(spiral).savefig("spiral.png")
    ```
    """
    figure = get_figure(figure, 9.0, 4.0)
    curves, over_time = figure.subplots(1, 2)
    positions = trajectory.positions
    step = -(-trajectory.shots // MOST_SHOTS)
    for shot in positions[::step][::-1]:
        curves.plot(shot[:, -1], shot[:, -2], color="0.6", linewidth=0.6)
    curves.plot(*positions[0, :, :-3:-1].T, color=COLOURS[0], linewidth=1.6)
    curves.set(xlim=(-0.52, 0.52), ylim=(0.52, -0.52), aspect="equal")
    curves.set_xlabel("k along W, cycles per pixel")
    curves.set_ylabel("k along H, cycles per pixel")
    pattern = trajectory.provenance.get("pattern", "trajectory")
    curves.set_title(f"{pattern}, {trajectory.shots}×{trajectory.samples}")

    time, unit = np.arange(trajectory.samples), "sample"
    if trajectory.dwell is not None:
        time, unit = 1000 * trajectory.dwell * time, "time, ms"
    for i, name in enumerate("DHW"[-trajectory.axes :]):
        label = f"along {name}"
        over_time.plot(time, positions[0, :, i], color=COLOURS[i], label=label)
    over_time.set_xlabel(unit)
    over_time.set_ylabel("k, cycles per pixel")
    over_time.set_title("First shot")
    over_time.grid(alpha=0.3)
    over_time.legend(frameon=False)
    return figure
