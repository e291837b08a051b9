import numpy as np

from experiments import line_figures


def test_draw_validation():
    trace = {"val_nmse": [0.3, None, 0.1], "val_psnr": [20.0, 21.0, 22.0]}
    cells = {
        (rate, mask): [{"trace": trace}] * 2
        for rate in (4.0, 8.0)
        for mask in ("random", "learned")
    }
    figure, caption = line_figures.draw_validation(
        cells, ["random", "learned"], ["nmse", "psnr"]
    )
    axes = figure.axes
    assert [ax.get_title() for ax in axes[:2]] == ["R = 4", "R = 8"]
    assert [len(ax.lines) for ax in axes] == [4] * 4
    assert axes[0].get_yscale() == "log" and axes[2].get_yscale() == "linear"
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.texts] == ["random", "learned"]
    assert caption.startswith("Validation in each epoch")


IMAGES = {
    (rate, mask): {
        "mask": np.eye(1, 9),
        **{name: np.ones((8, 9, 1)) for name in ("truth", "a", "b")},
    }
    for rate in (4.0, 8.0)
    for mask in ("random", "learned")
}


def test_draw_masks():
    figure, caption = line_figures.draw_masks(IMAGES)
    titles = [ax.get_title().split("\n")[0] for ax in figure.axes]
    assert [title for title in titles if title] == [
        "random, R = 4",
        "learned, R = 4",
        "random, R = 8",
        "learned, R = 8",
    ]
    assert caption.startswith("Masks, first seed")
    assert line_figures.draw_masks({})[0] is None


def test_draw_reconstructions():
    rows = {"a": "First", "b": "Second"}
    figure, caption = line_figures.draw_reconstructions(IMAGES, 8.0, rows)
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert [text for text in labels if text] == ["First", "Second"]
    assert caption.startswith("R = 8, first seed")
