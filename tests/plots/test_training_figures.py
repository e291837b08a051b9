import numpy as np
import pytest

from loupe_tf import plots


def test_training_curves(draw):
    history = {
        "loss": [0.3, 0.2, 0.1, 0.05],
        "val_loss": [0.3, 0.25, 0.2, 0.1],
        "slope": [1.0, 1.5, 1.5, 1.5],
        "learning_rate": [0.01, 0.01, 0.01, 0.002],
        "round": [1, 1, 2, 2],
        "psnr": [20.0, 21.0, 22.0, 23.0],
    }
    figure = draw(plots.training_curves(history))
    assert len(figure.axes) == 3
    for ax in figure.axes:
        assert ax.get_yscale() == "log"
        # Between the second and the third epoch.
        assert list(ax.lines[-1].get_xdata()) == [2.5, 2.5]
    loss, slope, _ = figure.axes
    assert [line.get_label() for line in loss.lines[:2]] == ["loss", "val_loss"]
    np.testing.assert_array_equal(loss.lines[1].get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(slope.lines[0].get_ydata(), history["slope"])
    assert loss.texts[0].get_text() == "round 2"


def test_training_curves_with_little_to_draw(draw):
    assert len(draw(plots.training_curves({"loss": [0.1]})).axes) == 1
    history = {"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [2.0, 1.0]}
    (ax,) = draw(plots.training_curves(history, validation_freq=2)).axes
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), [2, 4])
    history["val_loss"] = [None, 2.0, None, 1.0]
    (ax,) = draw(plots.training_curves(history, validation_freq=2)).axes
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), [2, 4])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [2, 1])
    with pytest.raises(ValueError, match="`history`.*names=.'accuracy'"):
        plots.training_curves({"accuracy": [0.1]})
