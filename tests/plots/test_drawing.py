import numpy as np
import pytest
from matplotlib.figure import Figure

from loupe_tf import masks, plots


def test_draw_into_subfigures(draw, rng):
    figure = Figure(layout="constrained")
    left, right = figure.subfigures(1, 2)
    prob = rng.uniform(size=(16, 20))
    assert plots.mask(prob > 0.5, prob, figure=left) is left
    assert plots.probability_histogram(prob, figure=right) is right
    assert len(draw(figure).axes) == 4


@pytest.mark.parametrize("name", ["a$b^$", "a\udce9.npz", "c$ and $d"])
def test_names_are_no_formulas(draw, rng, name):
    mask = masks.gaussian((16, 18), 4)
    other = masks.gaussian((16, 18), 4, seed=1)
    for figure in (
        plots.mask_description(mask, name),
        plots.mask_comparison({name: mask, "other": other}),
        plots.masks({name: mask.array}),
        plots.probability_histogram({name: rng.uniform(size=(16, 18))}),
        plots.reconstructions(
            np.zeros((1, 16, 18, 1)), {name: np.ones((1, 16, 18, 1))}
        ),
    ):
        draw(figure)
