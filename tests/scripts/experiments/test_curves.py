from experiments.curves import draw_validation


def test_draw_validation():
    trace = {"val_nmse": [0.3, None, 0.1], "val_psnr": [20.0, 21.0, 22.0]}
    cells = {
        (rate, mask): [{"trace": trace}] * 2
        for rate in (4.0, 8.0)
        for mask in ("random", "learned")
    }
    figure = draw_validation(cells, ["random", "learned"], ["nmse", "psnr"])
    axes = figure.axes
    assert [ax.get_title() for ax in axes[:2]] == ["R = 4", "R = 8"]
    assert [len(ax.lines) for ax in axes] == [4] * 4
    assert axes[0].get_yscale() == "log" and axes[2].get_yscale() == "linear"
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.texts] == ["random", "learned"]
