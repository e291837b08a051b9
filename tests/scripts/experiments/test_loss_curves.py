from experiments.loss_curves import draw_losses


def _records(*losses):
    return [{"trace": {"loss": losses, "val_loss": losses[::-1]}}]


def test_a_column_for_each_drop_rate():
    cells = {
        ("mse", 0.2, "unlearned"): _records(3.0, 2.0),
        ("mse", 0.4, "unlearned"): _records(4.0, None),
        ("mse", 0.2, "learned"): _records(2.0, 1.0),
        ("ssim", 0.6, "learned"): _records(9.0, 9.0),
    }
    figure = draw_losses(cells, "mse", ("unlearned", "learned"))
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["drop rate 0.2", "drop rate 0.4"]
    lines = {
        line.get_label(): line.get_ydata().tolist()
        for line in figure.axes[0].lines
    }
    assert lines["learned"] == [2.0, 1.0]
    assert lines["unlearned, validation"] == [2.0, 3.0]
    assert len(lines) == 4
    assert figure.axes[0].get_ylabel() == "loss (mse)"
