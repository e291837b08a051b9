import numpy as np
import pytest

from loupe_tf import plots, trajectories


def test_curves_and_the_first_shot_over_time(draw):
    spiral = trajectories.spiral(3, 20, turns=2, dwell=4e-6)
    figure = draw(plots.trajectory(spiral))
    curves, over_time = figure.axes
    assert len(curves.lines) == 4  # The first one again, thicker.
    first = curves.lines[-1]
    np.testing.assert_array_equal(first.get_xdata(), spiral.positions[0, :, 1])
    np.testing.assert_array_equal(first.get_ydata(), spiral.positions[0, :, 0])
    assert "spiral, 3×20" in curves.get_title()
    assert over_time.get_xlabel() == "time, ms"
    np.testing.assert_allclose(over_time.lines[0].get_xdata()[-1], 0.076)
    assert curves.yaxis_inverted()  # H goes down, as in images.


@pytest.mark.parametrize("axes", [2, 3])
def test_many_shots_and_three_axes(draw, axes, rng):
    positions = rng.uniform(-0.5, 0.5, (150, 4, axes))
    trajectory = trajectories.Trajectory(positions)
    curves, over_time = draw(plots.trajectory(trajectory)).axes
    assert len(curves.lines) == 51
    assert len(over_time.lines) == axes
    assert over_time.get_xlabel() == "sample"
