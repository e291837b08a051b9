import numpy as np
import pytest

from loupe_tf import plots


def test_images_and_the_coverage_of_each_subspace(draw, rng):
    samples = rng.normal(1, 0.1, size=(9, 2, 8, 9, 2))
    mask = np.arange(9)[None] % 2 == 0
    figure = draw(plots.posterior(samples[0], samples[1:], mask))
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:6] == [
        "truth",
        "posterior mean",
        "one sample",
        "deviation × 5",
        "|error| × 5",
        "coverage",
    ]
    diagonal, *curves = figure.axes[5].lines
    labels = [line.get_label() for line in curves]
    assert labels == ["pixels", "measured", "unmeasured"]
    assert np.abs(curves[0].get_ydata() - curves[0].get_xdata()).max() < 0.15


def test_samples_are_checked():
    with pytest.raises(ValueError, match="`samples`"):
        plots.posterior(np.zeros((1, 8, 9, 2)), np.zeros((3, 2, 8, 9, 2)))
