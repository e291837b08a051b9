"""A picture of the image of one bright pixel."""

import numpy as np
from matplotlib.figure import Figure

# Decibels below the brightest pixel that are black.
DARK = -50


def point_spread(trajectory, methods=("uniform", "pipe")):
    """Compute the adjoint images of the samples of one bright pixel.

    Args:
        trajectory: `Trajectory` with a matrix.
        methods: Those of `loupe_tf.operators.density_compensation`.

    Returns:
        Array `(len(methods), *matrix)` of magnitudes, with the pixel in the
        centre; the largest of each is 1.
    """
    from loupe_tf.operators import NonUniform, density_compensation

    scan = NonUniform(trajectory.positions[None], trajectory.matrix)
    delta = np.zeros((1, *trajectory.matrix, 2), "float32")
    delta[(0, *(n // 2 for n in trajectory.matrix), 0)] = 1
    samples = scan.forward(delta)
    images = [
        np.linalg.norm(
            scan.adjoint(density_compensation(scan, method) * samples)[0],
            axis=-1,
        )
        for method in methods
    ]
    return np.stack([image / image.max() for image in images])


def draw_point_spread(trajectory):
    """Draw the curves, and the point-spread functions without and with D."""
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    curves, *others = figure.subplots(1, 3)
    for shot in trajectory.positions:
        curves.plot(shot[:, 1], shot[:, 0], "k", linewidth=0.6)
    curves.set(
        aspect="equal",
        ylim=(0.52, -0.52),
        xlabel="along W, cycles per pixel",
        ylabel="along H",
        title="curves",
    )
    titles = "without D", "with D"
    for ax, image, title in zip(others, point_spread(trajectory), titles):
        decibels = 20 * np.log10(np.maximum(image, 1e-9))
        shown = ax.imshow(decibels, cmap="magma", vmin=DARK, vmax=0)
        ax.set(xticks=[], yticks=[], title=title)
    figure.colorbar(shown, ax=others, label="point-spread function [dB]")
    return figure
