import numpy as np

from experiments.point_spread import draw_point_spread, point_spread
from loupe_tf.trajectories import radial


def test_is_brightest_at_the_pixel_and_sharper_with_weights():
    spokes = radial(20, 48, matrix=(24, 25))
    plain, weighted = point_spread(spokes)
    for image in (plain, weighted):
        assert np.unravel_index(image.argmax(), image.shape) == (12, 12)
    beside = np.s_[12, 14:18]
    assert weighted[beside].mean() < plain[beside].mean() / 2


def test_draws():
    figure = draw_point_spread(radial(6, 16, matrix=(8, 8)))
    assert len(figure.axes) == 4
