import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from loupe_tf import masks, metrics, plots


@pytest.fixture(autouse=True)
def no_pyplot(monkeypatch):
    """An import of pyplot, which needs a display or a backend, fails."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)


def draw(figure):
    """Render for real: much goes wrong only then."""
    figure.canvas.draw()
    return figure


def probability(shape=(16, 20)):
    return np.random.default_rng(0).uniform(size=shape).astype("float32")


def test_mask_alone_and_with_probability():
    prob = probability()
    mask = prob > 0.75
    figure = draw(plots.mask(mask))
    assert isinstance(figure, Figure)
    (ax,) = figure.axes
    assert f"R = {mask.size / mask.sum():.2f}" in ax.get_title()
    np.testing.assert_array_equal(ax.images[0].get_array(), mask)

    figure = draw(plots.mask(mask, prob))
    assert len(figure.axes) == 3  # With the colour bar.
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), prob)
    assert f"{prob.mean():.3f}" in figure.axes[1].get_title()


@pytest.mark.parametrize("size", [16, 17])
def test_dc_is_at_the_zero_of_the_axes(size):
    mask = np.zeros((size, size + 1))
    mask[size // 2, (size + 1) // 2] = 1
    image = draw(plots.mask(mask)).axes[0].images[0]
    left, right, bottom, top = image.get_extent()
    row, column = np.argwhere(mask)[0]
    assert left + (column + 0.5) == 0
    assert top + (row + 0.5) == 0
    assert (right - left, bottom - top) == (size + 1, size)


@pytest.mark.parametrize("shape", [(1, 20), (20, 1)])
def test_lines_are_drawn_as_a_square(shape):
    prob = probability(shape)
    mask = prob > 0.5
    figure = draw(plots.mask(mask, prob))
    for ax, array in zip(figure.axes, [mask, prob], strict=False):
        expected = np.broadcast_to(array, (20, 20))
        np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    assert f"R = {20 / mask.sum():.2f}" in figure.axes[0].get_title()


def test_mask_object_and_empty_mask():
    class SamplingMask:
        array = np.zeros((8, 8), bool)

    title = draw(plots.mask(SamplingMask())).axes[0].get_title()
    assert "nothing acquired" in title


def test_masks():
    shown = {
        "a": np.eye(4),
        "b": None,
        "c": probability(),
        "d": np.ones((1, 4)),
    }
    figure = draw(plots.masks(shown, columns=3))
    assert len(figure.axes) == 6
    drawn = {ax.get_title(): ax.images[0] for ax in figure.axes if ax.images}
    assert list(drawn) == ["a", "c", "d"]
    np.testing.assert_allclose(drawn["c"].get_array(), shown["c"])
    assert drawn["d"].get_array().shape == (4, 4)
    assert len(draw(plots.masks(shown)).axes) == 4
    with pytest.raises(ValueError, match=r"`a`.*\[0, 1\]"):
        plots.masks({"a": 2 * np.eye(4)})
    with pytest.raises(ValueError, match="`masks`. Expected one mask"):
        plots.masks({})


def test_invalid_mask():
    prob = probability()
    with pytest.raises(ValueError, match="`mask`. Expected a binary mask"):
        plots.mask(prob)
    with pytest.raises(ValueError, match=r"`mask`.*\(H, W\).*\(16, 20, 1\)"):
        plots.mask(np.ones((16, 20, 1)))
    with pytest.raises(ValueError, match="`probability`. Expected the shape"):
        plots.mask(np.ones((16, 16)), prob)
    with pytest.raises(ValueError, match=r"`probability`.*\[0, 1\]"):
        plots.mask(prob > 0.5, 2 * prob)


def test_probability_histogram():
    sharp = np.array([0.0] * 60 + [1.0] * 30 + [0.5] * 10)
    soft = np.full((10, 10), 0.3)
    figure = draw(plots.probability_histogram({"4S": sharp, "s = 2": soft}))
    (ax,) = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        "4S: 90.0 % near-binary",
        "s = 2: 0.0 % near-binary",
    ]
    assert ax.get_yscale() == "log"
    values, edges, _ = ax.patches[0].get_data()
    assert len(values) == 50
    assert (edges[0], edges[-1]) == (0.0, 1.0)
    np.testing.assert_allclose(
        [values[0], values[25], values[-1]], [0.6, 0.1, 0.3]
    )
    assert len(draw(plots.probability_histogram(soft)).axes) == 1


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_histogram_of_what_is_no_probability(value):
    with pytest.raises(ValueError, match=r"probabilities\['a'\].*\[0, 1\]"):
        plots.probability_histogram({"a": np.array([0.5, value])})


def test_training_curves():
    history = {
        "loss": [0.3, 0.2, 0.1, 0.05],
        "val_loss": [0.3, 0.25, 0.2, 0.1],
        "slope": [1.0, 1.5, 1.5, 1.5],
        "learning_rate": [0.01, 0.01, 0.01, 0.002],
        "round": [1, 1, 2, 2],
        "psnr": [20.0, 21.0, 22.0, 23.0],
    }
    figure = draw(plots.training_curves(history))
    assert len(figure.axes) == 3
    for ax in figure.axes:
        assert ax.get_yscale() == "log"
        # Between the second and the third epoch.
        assert list(ax.lines[-1].get_xdata()) == [2.5, 2.5]
    loss, slope, _ = figure.axes
    assert [line.get_label() for line in loss.lines[:2]] == ["loss", "val_loss"]
    np.testing.assert_array_equal(loss.lines[1].get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(slope.lines[0].get_ydata(), history["slope"])
    assert loss.texts[0].get_text() == "round 2"


def test_training_curves_with_little_to_draw():
    assert len(draw(plots.training_curves({"loss": [0.1]})).axes) == 1
    history = {"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [2.0, 1.0]}
    (ax,) = draw(plots.training_curves(history, validation_freq=2)).axes
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), [2, 4])
    with pytest.raises(ValueError, match="`history`.*names=.'accuracy'"):
        plots.training_curves({"accuracy": [0.1]})


@pytest.mark.parametrize("channels", [1, 2])
def test_reconstructions(channels):
    truth = probability((2, 12, 16, channels))
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


def test_zoom_is_framed_and_drawn_below():
    truth = probability((2, 12, 16, 1))
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


def test_groups_are_drawn_below_each_other():
    truth = probability((1, 12, 15, 1))
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
def test_invalid_zoom(zoom):
    truth = probability((2, 12, 16, 1))
    with pytest.raises(ValueError, match="`zoom`.*12×16"):
        plots.reconstructions(truth, {"a": truth}, zoom=zoom)


def test_invalid_reconstructions():
    truth = probability((2, 12, 16, 1))
    with pytest.raises(ValueError, match=r"`truth`.*\(n, H, W, 1\)"):
        plots.reconstructions(truth[..., 0], {"a": truth})
    with pytest.raises(
        ValueError, match=r"`reconstructions`.*\(1, 12, 16, 1\)"
    ):
        plots.reconstructions(truth, {"a": truth[:1]})
    with pytest.raises(ValueError, match="`reconstructions`"):
        plots.reconstructions(truth, {})


def test_mask_description():
    points = masks.poisson_disc((21, 30), 4, 5)
    figure = draw(plots.mask_description(points, "mine"))
    image, density, spread, _ = figure.axes
    np.testing.assert_array_equal(image.images[0].get_array(), points.array)
    assert image.get_title() == "mine: R = 3.987"
    shares, edges, _ = density.patches[0].get_data()
    np.testing.assert_array_equal(
        [*edges, *shares], np.concatenate(masks.density_profile(points))
    )
    decibels = 20 * np.log10(np.maximum(masks.point_spread(points), 1e-3))
    np.testing.assert_allclose(spread.images[0].get_array(), decibels)
    lobe = masks.side_lobe(points)
    assert f"{20 * np.log10(lobe['height']):.1f} dB" in spread.get_title()
    (x,), (y,) = spread.lines[0].get_data()
    assert (y, x) == lobe["place"]


@pytest.mark.parametrize("lines", ["columns", "rows"])
def test_mask_description_of_lines(lines):
    mask = masks.random_lines((24, 24), 3, 5, lines=lines)
    _, _, spread = draw(plots.mask_description(mask)).axes
    curve, mark = spread.lines
    pixels, decibels = curve.get_data()
    assert pixels[12] == 0 and decibels[12] == 0
    (x,), (y,) = mark.get_data()
    assert x == masks.side_lobe(mask)["place"][lines == "columns"]
    assert y == pytest.approx(decibels[pixels == x][0])


def test_masks_with_nothing_to_draw():
    for array in (np.zeros((4, 5)), np.ones((4, 5)), [[1, 1, 1]]):
        draw(plots.mask_description(masks.SamplingMask(array)))


def test_mask_comparison():
    lines = masks.random_lines((24, 20), 3, 4)
    other = masks.equispaced_lines((24, 20), 3, 4)
    points = masks.gaussian((24, 20), 3, 4)
    figure = draw(plots.mask_comparison({"a": lines, "b": other}))
    both = np.array(figure.axes[2].images[0].get_array())
    assert (both[0] == lines.array[0] + 2 * other.array[0]).all()
    share = masks.overlap(lines, other)["jaccard"]
    assert f"{share:.1%}" in figure.axes[2].get_title()
    figure = draw(plots.mask_comparison({"a": lines, "b": points}))
    both = np.array(figure.axes[2].images[0].get_array())
    np.testing.assert_array_equal(both, lines.array + 2 * points.array)
    with pytest.raises(ValueError, match="`masks`. Expected two masks"):
        plots.mask_comparison({"a": lines})
    with pytest.raises(ValueError, match="`other`. Expected a mask of shape"):
        small = masks.gaussian((12, 20), 3, 4)
        plots.mask_comparison({"a": lines, "b": small})


def test_draw_into_subfigures():
    figure = Figure(layout="constrained")
    left, right = figure.subfigures(1, 2)
    prob = probability()
    assert plots.mask(prob > 0.5, prob, figure=left) is left
    assert plots.probability_histogram(prob, figure=right) is right
    assert len(draw(figure).axes) == 4
