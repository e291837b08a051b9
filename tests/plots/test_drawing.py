from matplotlib.figure import Figure

from loupe_tf import plots


def test_draw_into_subfigures(draw, rng):
    figure = Figure(layout="constrained")
    left, right = figure.subfigures(1, 2)
    prob = rng.uniform(size=(16, 20))
    assert plots.mask(prob > 0.5, prob, figure=left) is left
    assert plots.probability_histogram(prob, figure=right) is right
    assert len(draw(figure).axes) == 4
