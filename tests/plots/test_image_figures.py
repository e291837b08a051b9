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


def test_long_titles_stay_apart(draw, rng):
    truth = rng.uniform(size=(1, 8, 8, 1)).astype("float32")
    names = ("learned from undersampled scans", "the same, but without weights")
    figure = draw(
        plots.reconstructions(
            truth, dict.fromkeys(names, truth), errors_below=True
        )
    )
    one, other = (ax.title.get_window_extent() for ax in figure.axes[1:3])
    assert not one.overlaps(other)


def test_errors_below(draw, rng):
    """As beside the images, in a row of their own."""
    truth = rng.uniform(size=(2, 5, 6, 1)).astype("float32")
    methods = {name: truth + error for name, error in (("a", 0.1), ("b", 0.2))}
    figure = draw(plots.reconstructions(truth, methods, errors_below=True))
    axes = np.reshape(figure.axes, (2, 2, 3))
    for example, (images, errors) in zip(truth[..., 0], axes):
        drawn = [ax.images[0].get_array() for ax in images]
        for found, extra in zip(drawn, (0, 0.1, 0.2)):
            np.testing.assert_allclose(found, example + extra, atol=1e-6)
        assert not errors[0].images
        for ax, error in zip(errors[1:], (0.1, 0.2)):
            found = ax.images[0].get_array()
            np.testing.assert_allclose(found, 5 * error, rtol=1e-4)
    assert [ax.get_title() for ax in axes[0, 0]] == ["truth", "a", "b"]
    with pytest.raises(ValueError, match="`errors_below`"):
        plots.reconstructions(truth, methods, errors_below="yes")


def test_examples_have_names(draw, rng):
    truth = rng.uniform(size=(2, 5, 6, 1)).astype("float32")
    figure = draw(
        plots.reconstructions(truth, {"a": truth}, labels=["one", "two"])
    )
    labels = [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()]
    assert labels == ["one", "two"]
    with pytest.raises(ValueError, match=r"`labels`.*2 names"):
        plots.reconstructions(truth, {"a": truth}, labels=["one"])


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


@pytest.mark.parametrize("zoom", [None, (2, 3, 6, 4)])
def test_pixels_have_their_proportions(draw, rng, zoom):
    """Each panel is as high and wide as what it shows is in mm."""
    truth = rng.uniform(size=(1, 12, 16, 1)).astype("float32")
    for size in ((1.5, 0.5), (3.0, 1.5, 0.5)):
        figure = plots.reconstructions(
            truth, {"a": truth}, zoom=zoom, voxel_size=size
        )
        draw(figure)
        for i, ax in enumerate(figure.axes):
            box = ax.get_window_extent()
            rows, columns = (12, 16) if i < 3 else (6, 4)
            expected = 3 * rows / columns
            assert box.height / box.width == pytest.approx(expected, rel=0.02)
    figure = plots.reconstruction_groups(
        truth, [{"a": truth}], zoom, voxel_size=(1.5, 0.5)
    )
    box = draw(figure).axes[0].get_window_extent()
    assert box.height / box.width == pytest.approx(3 * 12 / 16, rel=0.02)


@pytest.mark.parametrize("size", [None, (None, None, None), (3, 0, 0)])
def test_pixels_of_unknown_size_are_square(draw, rng, size):
    truth = rng.uniform(size=(1, 12, 16, 1)).astype("float32")
    figure = draw(plots.reconstructions(truth, {"a": truth}, voxel_size=size))
    assert figure.axes[0].get_aspect() == 1


def test_invalid_voxel_size(rng):
    truth = rng.uniform(size=(1, 12, 16, 1)).astype("float32")
    with pytest.raises(ValueError, match="`voxel_size`.*-1"):
        plots.reconstructions(truth, {"a": truth}, voxel_size=(-1, 1))
