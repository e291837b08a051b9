import collections

import numpy as np

from experiments import slope_figures

Cell = collections.namedtuple(
    "Cell", "acceleration method protocol slope region", defaults=["none"]
)


def _records(*psnr, slope=20.0):
    return [
        {"slope_found": slope * i, "volumes": x and {"a": {"psnr": x}}}
        for i, x in enumerate(psnr, 1)
    ]


CELLS = {
    Cell(4.0, "fixed", "one_round", 20.0): _records(30.0, 31.0),
    Cell(4.0, "fixed", "one_round", 200.0): _records(28.0, None),
    Cell(4.0, "4s", "two_rounds", None): _records(32.0, 34.0),
    Cell(8.0, "fixed", "two_rounds", 20.0): _records(25.0),
    Cell(8.0, "linear", "two_rounds", None): _records(None),
}


def _volumes(record):
    return record["volumes"]


def test_draw_against_slope():
    figure, _ = slope_figures.draw_against_slope(CELLS, _volumes)
    left, right = figure.axes
    fixed, four_s = (c[0].get_xydata().tolist() for c in left.containers)
    assert fixed == [[20.0, 30.5], [200.0, 28.0]]
    assert four_s == [[30.0, 33.0]]
    assert right.get_title() == "R = 8" and len(right.containers) == 1
    others = {cell: x for cell, x in CELLS.items() if cell[1] == "linear"}
    assert slope_figures.draw_against_slope(others, _volumes)[0] is None


def test_a_region_has_its_own_panel():
    cells = {
        Cell(4.0, "4s", "two_rounds", None, region): _records(psnr)
        for region, psnr in (("none", 30.0), ("auto", 32.0))
    }
    figure, _ = slope_figures.draw_against_slope(cells, _volumes)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["R = 4", "R = 4, with a region"]


def test_draw_methods():
    figure, _ = slope_figures.draw_methods(CELLS, _volumes)
    left = figure.axes[0]
    rows = [text.get_text() for text in left.get_yticklabels()]
    # What was trained in two rounds.
    assert rows == ["4s", "s = 20", "linear"]
    found = [c[0].get_xydata()[0].tolist() for c in left.containers]
    assert found == [[33.0, 0]]
    paper = {cell: x for cell, x in CELLS.items() if cell[1] != "linear"}
    assert slope_figures.draw_methods(paper, _volumes)[0] is None


IMAGES = {
    cell: {name: np.full((8, 9), 0.25) for name in ("probability", "average")}
    for cell in CELLS
    if cell[2] == "two_rounds"
}


def _titles(figure):
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def test_draw_probabilities():
    figure, caption = slope_figures.draw_probabilities(IMAGES)
    titles = [title.split("\n")[0] for title in _titles(figure)]
    assert titles == ["R = 4, 4s", "R = 8, s = 20"]
    assert caption.startswith("Figure 4 of the paper")
    figure, caption = slope_figures.draw_probabilities(IMAGES, of_paper=False)
    assert _titles(figure)[0].startswith("R = 8, linear")
    assert "the other methods" in caption
    assert slope_figures.draw_probabilities({})[0] is None


def test_draw_histograms():
    figure, caption = slope_figures.draw_histograms(IMAGES, 8.0)
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.texts]
    # The schedule is not of the paper.
    assert len(labels) == 1 and labels[0].startswith("s = 20")
    assert "R = 8: the average of 1000 realizations" in caption
    assert slope_figures.draw_histograms({}, 8.0)[0] is None


def test_draw_trace():
    trace = {"loss": [1.0, 0.5], "slope": [20.0, 30.0]}
    cells = {Cell(4.0, "4s", "two_rounds", None): [{"trace": trace}]}
    figure, caption = slope_figures.draw_trace(cells, 4.0)
    assert len(figure.axes) == 2 and caption.startswith("4S at R = 4")
    assert slope_figures.draw_trace(cells, 8.0)[0] is None
