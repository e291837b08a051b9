import numpy as np
import pytest
from matplotlib.figure import Figure

from loupe_tf import masks, plots


def probability(shape=(16, 20)):
    return np.random.default_rng(0).uniform(size=shape).astype("float32")


def test_mask_alone_and_with_probability(draw):
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
def test_dc_is_at_the_zero_of_the_axes(draw, size):
    mask = np.zeros((size, size + 1))
    mask[size // 2, (size + 1) // 2] = 1
    image = draw(plots.mask(mask)).axes[0].images[0]
    left, right, bottom, top = image.get_extent()
    row, column = np.argwhere(mask)[0]
    assert left + (column + 0.5) == 0
    assert top + (row + 0.5) == 0
    assert (right - left, bottom - top) == (size + 1, size)
    axes = image.axes
    unit = "cycles per field of view"
    assert axes.get_xlabel() == f"k along W, {unit}"
    assert axes.get_ylabel() == f"k along H, {unit}"


@pytest.mark.parametrize("shape", [(1, 20), (20, 1)])
def test_lines_are_drawn_as_a_square(draw, shape):
    prob = probability(shape)
    mask = prob > 0.5
    figure = draw(plots.mask(mask, prob))
    for ax, array in zip(figure.axes, [mask, prob], strict=False):
        expected = np.broadcast_to(array, (20, 20))
        np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    assert f"R = {20 / mask.sum():.2f}" in figure.axes[0].get_title()


def test_mask_object_and_empty_mask(draw):
    class SamplingMask:
        array = np.zeros((8, 8), bool)

    title = draw(plots.mask(SamplingMask())).axes[0].get_title()
    assert "nothing acquired" in title


def test_masks(draw):
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


def test_probability_histogram(draw):
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


def test_mask_description(draw):
    points = masks.poisson_disc((21, 30), 4, 5)
    figure = draw(plots.mask_description(points, "mine"))
    image, density, spread, _ = figure.axes
    np.testing.assert_array_equal(image.images[0].get_array(), points.array)
    assert image.get_title() == "mine: R = 3.987"
    shares, edges, _ = density.patches[0].get_data()
    np.testing.assert_array_equal(
        [*edges, *shares], np.concatenate(masks.density_profile(points))
    )
    percent = 100 * np.maximum(masks.point_spread(points), 1e-3)
    np.testing.assert_allclose(spread.images[0].get_array(), percent)
    lobe = masks.side_lobe(points)
    assert f"side lobe {100 * lobe['height']:.1f} %" in spread.get_title()
    (x,), (y,) = spread.lines[0].get_data()
    assert (y, x) == lobe["place"]
    # A page that has drawn the mask needs the others only.
    rest = draw(plots.mask_description(points, show_mask=False))
    titles = [ax.get_title() for ax in rest.axes]
    assert titles == ["Density", spread.get_title(), ""]


@pytest.mark.parametrize("lines", ["columns", "rows"])
def test_mask_description_of_lines(draw, lines):
    mask = masks.random_lines((24, 24), 3, 5, lines=lines)
    _, _, spread = draw(plots.mask_description(mask)).axes
    curve, mark = spread.lines
    pixels, percent = curve.get_data()
    assert pixels[12] == 0 and percent[12] == 100
    assert spread.get_yscale() == "log"
    (x,), (y,) = mark.get_data()
    assert x == masks.side_lobe(mask)["place"][lines == "columns"]
    assert y == pytest.approx(percent[pixels == x][0])


def test_masks_with_nothing_to_draw(draw):
    for array in (np.zeros((4, 5)), np.ones((4, 5)), [[1, 1, 1]]):
        draw(plots.mask_description(masks.SamplingMask(array)))


def test_mask_comparison(draw):
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


@pytest.mark.parametrize("shape", [(16, 20), (1, 20), (16, 1)])
def test_samples_are_as_far_apart_as_in_kspace(draw, shape):
    """Along an axis k-space reaches as far as one over the voxel size."""
    array = np.ones(shape, bool)
    mask = masks.SamplingMask(array, matrix=(16, 20), field_of_view=(240, 100))
    assert mask.voxel_size == (15, 5)
    prob = probability(shape)
    for figure in (plots.mask(mask, prob), plots.mask_description(mask)):
        box = draw(figure).axes[0].get_window_extent()
        ratio = box.height / box.width
        assert ratio == pytest.approx(5 / 15, rel=0.02)
        assert figure.axes[0].images[0].get_array().shape == (16, 20)
    if shape == (16, 20):  # Beside it, pixels of the image.
        box = figure.axes[2].get_window_extent()
        ratio = box.height / box.width
        assert ratio == pytest.approx(240 / 100, rel=0.02)
