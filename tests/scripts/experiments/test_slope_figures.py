import numpy as np

from experiments import slope_figures


def _records(*psnr, slope=20.0):
    return [
        {"slope_found": slope * i, "volumes": x and {"a": {"psnr": x}}}
        for i, x in enumerate(psnr, 1)
    ]


CELLS = {
    (4.0, "fixed", "one_round", 20.0): _records(30.0, 31.0),
    (4.0, "fixed", "one_round", 200.0): _records(28.0, None),
    (4.0, "4s", "two_rounds", None): _records(32.0, 34.0),
    (8.0, "fixed", "two_rounds", 20.0): _records(25.0),
    (8.0, "linear", "two_rounds", None): _records(None),
}


def _volumes(record):
    return record["volumes"]


def test_draw_against_slope():
    figure = slope_figures.draw_against_slope(CELLS, _volumes)
    left, right = figure.axes
    fixed, four_s = (c[0].get_xydata().tolist() for c in left.containers)
    assert fixed == [[20.0, 30.5], [200.0, 28.0]]
    assert four_s == [[30.0, 33.0]]
    assert right.get_title() == "R = 8" and len(right.containers) == 1


def test_draw_methods():
    figure = slope_figures.draw_methods(CELLS, _volumes)
    left = figure.axes[0]
    rows = [text.get_text() for text in left.get_yticklabels()]
    assert rows == ["s = 20", "s = 200", "4s", "linear"]
    found = [c[0].get_xydata()[0].tolist() for c in left.containers]
    assert found == [[30.5, 0], [28.0, 1], [33.0, 2]]


def test_draw_probabilities():
    mask = np.full((8, 9), 0.25)
    cells = [list(CELLS)[i] for i in (2, 4)]
    figure = slope_figures.draw_probabilities(
        {cell: {"probability": mask} for cell in cells}
    )
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert [t.split(":")[0] for t in titles][0].startswith("R = 4, 4s")
