import math
import re

import numpy as np
import pytest

from loupe_tf.masks import (
    SamplingMask,
    density_profile,
    gaussian,
    overlap,
    point_spread,
    random_lines,
    side_lobe,
    uniform_random,
)
from loupe_tf.masks.description import (
    off_peak_text,
    resolution_text,
    side_lobe_text,
)


def test_density_of_lines():
    mask = SamplingMask([[0, 0, 1, 0, 1, 1, 1, 0]])  # DC at 4
    edges, shares = density_profile(mask, bins=4)
    np.testing.assert_allclose(edges, [0, 0.25, 0.5, 0.75, 1])
    # Distances 0; 1 and 1; 2 and 2; 3, 3 and 4.
    np.testing.assert_allclose(shares, [1, 1 / 2, 1, 0])
    rows = SamplingMask(mask.array.T)
    np.testing.assert_array_equal(density_profile(rows, 4)[1], shares)


def test_density_of_points():
    mask = gaussian((40, 30), 4, calibration=6, std=0.3)
    edges, shares = density_profile(mask)
    assert len(edges) == 17 and shares[0] == 1 and shares[-1] < 0.1
    y, x = np.indices(mask.shape)
    distance = np.hypot((y - 20) / 20, (x - 15) / 15)
    ring = (distance >= edges[5]) & (distance < edges[6])
    np.testing.assert_allclose(shares[5], mask.array[ring].mean())


def test_density_of_rings_without_entries():
    shares = density_profile(SamplingMask(np.ones((2, 2))), bins=9)[1]
    assert np.isnan(shares).any() and np.nanmin(shares) == 1
    assert density_profile(SamplingMask([[1]]), bins=1)[1] == [1]
    with pytest.raises(ValueError, match="`bins`. Expected an integer"):
        density_profile(SamplingMask([[1]]), bins=0)


@pytest.mark.parametrize("shape", [(1, 9), (8, 1), (7, 8)])
def test_point_spread(shape, rng):
    mask = SamplingMask(rng.uniform(size=shape) < 0.4)
    rows, columns = (np.arange(n) - n // 2 for n in shape)
    ky, kx = np.argwhere(mask.array).T
    ky, kx = ky - shape[0] // 2, kx - shape[1] // 2
    phase = (
        ky * rows[:, None, None] / shape[0]
        + kx * columns[None, :, None] / shape[1]
    )
    expected = np.abs(np.exp(2j * np.pi * phase).mean(axis=-1))
    np.testing.assert_allclose(point_spread(mask), expected, atol=1e-12)


def test_side_lobe_of_aliasing():
    lobe = side_lobe(SamplingMask([[1, 0, 0, 0] * 3]))
    assert lobe["height"] == pytest.approx(1)
    assert lobe["place"] == (0, -6)  # -6, -3 and 3 are as high.
    columns = np.zeros((12, 15))
    columns[:, ::3] = 1
    assert side_lobe(SamplingMask(columns))["place"] == (0, -5)


def test_the_main_lobe_is_no_side_lobe():
    # A Dirichlet kernel: its first side lobe is 0.217 of the peak.
    array = np.zeros((1, 401))
    array[:, 180:221] = 1
    lobe = side_lobe(SamplingMask(array))
    assert lobe["height"] == pytest.approx(0.217, abs=2e-3)
    assert lobe["place"] == (0, -14)  # 1.43 * 401 / 41
    assert lobe["off_peak"] == pytest.approx(0.983, abs=2e-3)
    rows = side_lobe(SamplingMask(array.T))
    assert rows["place"] == (-14, 0) and rows["height"] == lobe["height"]


def test_side_lobe_of_points():
    mask = uniform_random((24, 25), 4, seed=1)
    spread = point_spread(mask)
    spread[11:14, 11:14] = 0  # The main lobe.
    lobe = side_lobe(mask)
    assert lobe["height"] == pytest.approx(spread.max())
    y, x = lobe["place"]
    assert spread[12 + y, 12 + x] == pytest.approx(spread.max())


@pytest.mark.parametrize("array", [np.ones((4, 5)), np.zeros((4, 5)), [[1]]])
def test_no_side_lobes(array):
    lobe = side_lobe(SamplingMask(array))
    assert lobe["height"] == 0 and lobe["off_peak"] == 0
    assert side_lobe_text(SamplingMask(array)) == "none"


def test_side_lobes_in_words():
    """In percent of the peak's magnitude, wherever they are stated."""
    array = np.zeros((1, 401))
    array[:, 180:221] = 1
    for mask, axis in ((array, "W"), (array.T, "H")):
        text = side_lobe_text(SamplingMask(mask))
        assert text == f"21.8 % of the peak, 14 pixels away along {axis}"
    flank = "98.3 % of the peak, in a neighbouring pixel"
    assert off_peak_text(SamplingMask(array)) == flank
    # Nothing to say beside a side lobe that is as high, or without lobes.
    for mask in ([[1, 0, 1, 0, 1, 0, 1, 0]], np.ones((4, 5))):
        assert off_peak_text(SamplingMask(mask)) == ""
    text = side_lobe_text(SamplingMask([[1, 0]]))
    assert text == "100.0 % of the peak, 1 pixel away along W"
    columns = np.zeros((12, 15))
    columns[:, ::3] = 1
    text = side_lobe_text(SamplingMask(columns))
    assert text == "100.0 % of the peak, at (0, -5) pixels along (H, W)"


@pytest.mark.parametrize(
    "acquired, size, view, expected",
    [
        # DC at 4, so lines -2, 0 and 1.
        (
            (2, 4, 5),
            8,
            None,
            "^columns -2 to 1, 50 % of the resolution along W; 0 to 1 without "
            "a gap, 25 % of the resolution: beyond, gaps cause aliases",
        ),
        (
            (2, 4, 5),
            8,
            240,
            "^columns -2 to 1, 60.00 mm along W where the matrix has 30.00 mm; "
            "0 to 1 without a gap, 120.00 mm: beyond, gaps cause aliases",
        ),
        ((0, 3, 4, 5), 8, 240, "-4 to 1, 40.00 mm .* -1 to 1 .* 80.00 mm"),
        # More on one side than on the other.
        ((3, 4, 5, 6), 8, 240, "-1 to 2 without a gap, 60.00 mm .* 30.00 mm$"),
        (range(8), 8, 240, "-4 to 3 without .* 30.00 mm along W .* 30.00 mm$"),
        (range(7), 7, 210, "-3 to 3 without .* 30.00 mm along W .* 30.00 mm$"),
        ((3,), 7, 210, "0 to 0 without a gap, 210.00 mm along W .* 30.00 mm$"),
        ((1, 2), 7, 210, "-2 to -1, 105.00 mm .*; no column at DC$"),
    ],
)
def test_resolution(acquired, size, view, expected):
    array = np.zeros((1, size), bool)
    array[0, list(acquired)] = True
    matrix = {"field_of_view": (99, view) if view else None}
    mask = SamplingMask(array, matrix=(size, size), **matrix)
    assert re.search(expected, resolution_text(mask))
    matrix = {"field_of_view": (view, 99) if view else None}
    rows = SamplingMask(array.T, matrix=(size, size), **matrix)
    other = resolution_text(mask).replace("along W", "along H")
    assert resolution_text(rows) == other.replace("column", "row")


def test_resolution_of_others():
    assert not resolution_text(SamplingMask(np.ones((4, 4))))
    assert not resolution_text(SamplingMask(np.zeros((1, 4))))


def test_overlap():
    first = SamplingMask([[1, 1, 0, 0, 1, 0]])
    second = SamplingMask([[0, 1, 1, 0, 1, 1]])
    found = overlap(first, second)
    assert found["intersection"] == 2 and found["union"] == 5
    assert found["jaccard"] == 2 / 5
    assert found["share"] == 2 / 3 and found["other_share"] == 2 / 4
    assert found["expected_share"] == 4 / 6
    same = overlap(first, first)
    assert same["jaccard"] == same["share"] == same["other_share"] == 1
    nothing = overlap(SamplingMask([[0, 0]]), SamplingMask([[0, 0]]))
    assert math.isnan(nothing["jaccard"]) and math.isnan(nothing["share"])


def test_overlap_of_lines_and_points():
    lines, points = random_lines((6, 8), 2, 2), uniform_random((6, 8), 2)
    full = np.broadcast_to(lines.array, (6, 8))
    found = overlap(lines, points)
    assert found["intersection"] == np.sum(full & points.array)
    assert found["share"] == np.mean(points.array[full])
    crossed = overlap(random_lines((6, 8), 2, 2, lines="rows"), lines)
    assert crossed["intersection"] == 3 * 4


def test_refuses_masks_of_other_sizes():
    with pytest.raises(ValueError, match="`other`. Expected a mask of shape"):
        overlap(SamplingMask(np.eye(4)), SamplingMask(np.eye(5)))
    with pytest.raises(ValueError, match=r"`other`. .*matrix \(6, 8\)"):
        overlap(random_lines((6, 8), 2, 2), uniform_random((7, 8), 2))
    with pytest.raises(ValueError, match="`other`"):
        overlap(SamplingMask([[0, 1]]), SamplingMask([[0, 1, 0]]))
