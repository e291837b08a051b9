import numpy as np
import pytest

from loupe_tf import metrics, plots


@pytest.mark.parametrize("channels", [1, 2])
def test_reconstructions(draw, rng, channels):
    truth = rng.uniform(size=(2, 12, 16, channels)).astype("float32")
    methods = {"zero-filled": truth + 0.1, "LOUPE": truth + 0.01}
    figure = draw(
        plots.reconstructions(truth, methods, max_value=2.0, error_scale=10)
    )
    assert len(figure.axes) == 2 * (1 + 2 * 2)
    top, bottom = np.reshape(figure.axes, (2, 5))
    assert [ax.get_title() for ax in top] == [
        "truth",
        "zero-filled",
        "|error| × 10",
        "LOUPE",
        "|error| × 10",
    ]
    for ax in figure.axes:  # One scale for all.
        assert ax.images[0].get_clim() == (0, 2.0)
    modulus = 0.1 * np.sqrt(channels)
    error = bottom[2].images[0].get_array()
    np.testing.assert_allclose(error, 10 * modulus, rtol=1e-4)
    psnr = float(metrics.psnr(truth, methods["zero-filled"], 2.0)[1])
    assert bottom[1].get_xlabel() == f"PSNR {psnr:.2f} dB"
    expected = np.sqrt((truth[1] ** 2).sum(axis=-1))
    np.testing.assert_allclose(
        bottom[0].images[0].get_array(), expected, rtol=1e-5
    )


def test_zoom_is_framed_and_drawn_below(draw, rng):
    truth = rng.uniform(size=(2, 12, 16, 1)).astype("float32")
    figure = draw(
        plots.reconstructions(truth, {"a": truth + 0.1}, zoom=(3, 5, 4, 6))
    )
    axes = np.reshape(figure.axes, (2, 2, 3))
    for example, (whole, below) in enumerate(axes):
        np.testing.assert_allclose(
            below[0].images[0].get_array(), truth[example, 3:7, 5:11, 0]
        )
        np.testing.assert_allclose(
            below[2].images[0].get_array(), np.full((4, 6), 0.5), rtol=1e-4
        )
        for ax in whole:
            (frame,) = ax.patches
            # Pixels are drawn around their index.
            assert frame.get_bbox().bounds == (4.5, 2.5, 6, 4)
        assert "PSNR" in whole[1].get_xlabel()
        assert below[1].get_xlabel() == below[1].get_title() == ""


def test_groups_are_drawn_below_each_other(draw, rng):
    truth = rng.uniform(size=(1, 12, 15, 1)).astype("float32")
    figure = draw(
        plots.reconstruction_groups(
            truth, [{"a": truth, "b": truth}, {"c": truth}]
        )
    )
    assert [len(part.axes) for part in figure.subfigs] == [10, 6]
    titles = [part.axes[1].get_title() for part in figure.subfigs]
    assert titles == ["a", "c"]
    # The central third.
    zoomed = figure.subfigs[1].axes[3].images[0].get_array()
    np.testing.assert_allclose(zoomed, truth[0, 4:8, 5:10, 0])
    with pytest.raises(ValueError, match="`groups`"):
        plots.reconstruction_groups(truth, [])


@pytest.mark.parametrize(
    "zoom",
    [(9, 0, 4, 4), (0, -1, 4, 4), (0, 0, 0, 4), (0, 0, 4), (0, 0, 4, 1.5)],
)
def test_invalid_zoom(rng, zoom):
    truth = rng.uniform(size=(2, 12, 16, 1)).astype("float32")
    with pytest.raises(ValueError, match="`zoom`.*12×16"):
        plots.reconstructions(truth, {"a": truth}, zoom=zoom)


def test_invalid_reconstructions(rng):
    truth = rng.uniform(size=(2, 12, 16, 1)).astype("float32")
    with pytest.raises(ValueError, match=r"`truth`.*\(n, H, W, 1\)"):
        plots.reconstructions(truth[..., 0], {"a": truth})
    with pytest.raises(
        ValueError, match=r"`reconstructions`.*\(1, 12, 16, 1\)"
    ):
        plots.reconstructions(truth, {"a": truth[:1]})
    with pytest.raises(ValueError, match="`reconstructions`"):
        plots.reconstructions(truth, {})
