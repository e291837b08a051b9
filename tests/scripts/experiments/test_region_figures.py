import numpy as np

from experiments.region_figures import draw_by_region


def test_a_panel_for_each_size_and_mask():
    cells = {
        (size, "relaxed", 4.0, lines, region, slope): [slope]
        for size, lines in ((64, None), (64, "columns"), (32, None))
        for region in ("none", "whole")
        for slope in (5.0, 20.0)
    }

    def psnr(records, split):
        assert split == "validation"
        return np.add(records, 1)

    figure = draw_by_region(cells, ["none", "whole"], [5.0, 20.0], psnr)
    titles = [ax.get_title() for ax in figure.axes if ax.get_visible()]
    assert titles == [
        "32×32, R = 4, points",
        "64×64, R = 4, columns",
        "64×64, R = 4, points",
    ]
    none, whole = figure.axes[-1].lines
    assert whole.get_label() == "whole"
    np.testing.assert_array_equal(none.get_xdata(), [5, 20])
    np.testing.assert_array_equal(none.get_ydata(), [6, 21])
