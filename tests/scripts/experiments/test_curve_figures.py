import numpy as np

from experiments.curve_figures import draw_curves


def test_draws_each(rng):
    shown = {
        name: {
            "positions": rng.uniform(-0.5, 0.5, (3, 9, 2)),
            "density": np.ones((4, 4)),
        }
        for name in ("one", "other")
    }
    figure = draw_curves(shown)
    assert len(figure.axes) == 4
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:2] == ["one", "other"]
    curves = draw_curves(shown, densities=False).axes
    assert len(curves) == 2 and len(curves[1].lines) == 3
    # H points down, W to the right.
    x, y = curves[0].lines[0].get_data()
    np.testing.assert_array_equal(x, shown["one"]["positions"][0, :, 1])
    np.testing.assert_array_equal(y, shown["one"]["positions"][0, :, 0])
    assert draw_curves({}) is None
