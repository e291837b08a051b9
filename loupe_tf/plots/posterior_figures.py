"""Figures of posterior samples and their calibration."""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.plots.drawing import COLOURS, STYLES, plain
from loupe_tf.plots.image_panels import draw_images, panels

# Levels of the coverage curve.
CURVE = tuple(np.linspace(0.05, 0.95, 19).round(2))


def posterior(
    truth, samples, mask=None, max_value=1.0, deviation_scale=5, figure=None
):
    """Draw true images, posterior means, deviations, errors, and the coverage.

    Each row shows one example: the truth, the mean and one sample, the
    standard deviation of each pixel, and the modulus of the mean's error. The
    last two share one scale, from 0 to `max_value / deviation_scale`. The
    curve at the right is `loupe_tf.posterior.coverage` for all levels. It
    follows the diagonal if samples are calibrated, and is above it if they
    vary too much.

    Args:
        truth: True images, `(batch, H, W, 1)` or complex `(batch, H, W, 2)`.
        samples: `loupe_tf.posterior.PosteriorSamples`, or an array
            `(n, batch, H, W, 1 or 2)`.
        mask: (Optional) mask of a single coil, as for
            `loupe_tf.posterior.coverage`, which is then drawn for measured and
            unmeasured k-space too.
        max_value: Positive float, the white of the grey scale.
        deviation_scale: Positive float, magnification of deviation and error.
        figure: (Optional) figure or sub-figure to draw into.

    Returns:
        The figure.

    Example:

    ```python
    draws = np.random.default_rng(0).normal(1, 0.1, size=(9, 2, 32, 32, 2))
    loupe_tf.plots.posterior(draws[0], draws[1:])
    ```
    """
    from loupe_tf.posterior import coverage

    draws = np.asarray(getattr(samples, "samples", samples))
    truth = np.asarray(truth)
    if draws.ndim != 5 or draws.shape[1:] != truth.shape:
        raise invalid(
            "samples",
            f"shape (n, {', '.join(map(str, truth.shape))}), as `truth`",
            found=f"shape={draws.shape}",
        )
    count, height, width, _ = truth.shape
    figure, axes = panels(figure, count, [height / width], 6)
    mean = draws.mean(axis=0)
    grey = {"vmin": 0, "vmax": max_value}
    for column, (name, images) in enumerate(
        {"truth": truth, "posterior mean": mean, "one sample": draws[0]}.items()
    ):
        draw_images(axes[..., column], name, images, None, **grey)
    deviation = np.sqrt(draws.var(0, ddof=1).sum(-1, keepdims=True))
    error = np.linalg.norm(mean - truth, axis=-1, keepdims=True)
    for column, (name, images) in enumerate(
        {"deviation": deviation, "|error|": error}.items(), start=3
    ):
        draw_images(
            axes[..., column],
            f"{name} × {deviation_scale:g}",
            (deviation_scale * images).astype("float32"),
            None,
            cmap="magma",
            **grey,
        )
    for ax in axes[1:, 0, 5]:
        ax.set_axis_off()
    curve = axes[0, 0, 5]
    curve.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    found = coverage(draws, truth, mask, CURVE)
    for i, (name, shares) in enumerate(found.items()):
        curve.plot(
            CURVE,
            list(shares.values()),
            color=COLOURS[i],
            linestyle=STYLES[i],
            label=plain(name),
        )
    curve.set(
        title="coverage",
        xlabel="level of the interval",
        ylabel="share of true values",
        xticks=[0, 0.5, 1],
        yticks=[0, 0.5, 1],
        aspect="equal",
    )
    curve.legend(fontsize="x-small", frameon=False)
    return figure
