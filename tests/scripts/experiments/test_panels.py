from experiments.panels import panels


def test_panels():
    figure, axes = panels(2, 1, (3.0, 2.0), sharex=True)
    assert axes.shape == (2, 1)
    assert figure.get_size_inches().tolist() == [3.0, 4.0]
    top, bottom = axes[:, 0]
    assert top.get_shared_x_axes().joined(top, bottom)
    assert all(line.get_visible() for line in top.get_xgridlines())
