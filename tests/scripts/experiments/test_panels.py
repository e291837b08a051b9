from experiments.panels import errorbars, panels


def test_panels():
    figure, axes = panels(2, 1, (3.0, 2.0), sharex=True)
    assert axes.shape == (2, 1)
    assert figure.get_size_inches().tolist() == [3.0, 4.0]
    top, bottom = axes[:, 0]
    assert top.get_shared_x_axes().joined(top, bottom)
    assert all(line.get_visible() for line in top.get_xgridlines())


def test_errorbars():
    _, axes = panels(1, 2, (3.0, 2.0))
    groups = {20.0: [1.0, 3.0], 200.0: [], 2000.0: [5.0]}
    for ax, horizontal in zip(axes[0], (False, True)):
        errorbars(ax, groups, horizontal, marker="o")
        line, _, (bars,) = ax.containers[0]
        places, means = line.get_data()[:: -1 if horizontal else 1]
        assert list(places) == [20.0, 2000.0] and list(means) == [2.0, 5.0]
        first = bars.get_segments()[0][:, 0 if horizontal else 1]
        assert list(first) == [1.0, 3.0]
        errorbars(ax, {1.0: []})
        assert len(ax.containers) == 1
