import numpy as np
import pytest

from loupe_tf.masks import band, band_weights, bands, calibration_region

SHAPES = [(32, 32), (31, 40), (24, 17)]


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 137.5, 179])
@pytest.mark.parametrize("acceleration", [1.5, 3, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_is_a_strip_of_the_exact_area(shape, acceleration, angle):
    mask = band(shape, acceleration, angle)
    assert mask.acquired == round(shape[0] * shape[1] / acceleration)
    assert mask.array[shape[0] // 2, shape[1] // 2]
    y, x = (np.arange(n) - n // 2 for n in shape)
    t = np.radians(angle)
    distance = np.abs(x * np.cos(t) + y[:, None] * np.sin(t))
    # No entry that is left out is nearer to the line than one that is taken.
    nearest = distance[~mask.array].min()
    assert distance[mask.array].max() <= nearest + 1e-6
    assert mask.provenance == {"pattern": "band", "angle": angle}


def test_of_whole_lines_is_their_calibration_region():
    columns = band((30, 32), 4)
    assert np.array_equal(
        columns.array,
        np.broadcast_to(calibration_region((1, 32), 8), (30, 32)),
    )
    rows = band((32, 30), 4, angle=90)
    assert np.array_equal(rows.array, columns.array.T)


def test_turns_half_way_round():
    for shape in SHAPES:
        differ = band(shape, 3, 25).array ^ band(shape, 3, 205).array
        assert differ.sum() <= 2


@pytest.mark.parametrize("shape", SHAPES)
def test_of_all_of_kspace(shape):
    assert bands(shape, 1, 5).all()
    assert (band_weights(bands(shape, 1, 5)) == 1).all()


def test_calibration_is_inside_and_inside_the_budget():
    mask = band((32, 40), 8, 45, calibration=(10, 12))
    assert mask.array[calibration_region((32, 40), (10, 12))].all()
    assert mask.acquired == 32 * 40 // 8
    with pytest.raises(ValueError, match="`calibration`.*within the budget"):
        band((32, 40), 8, 45, calibration=20)


@pytest.mark.parametrize("acceleration", [2, 4.3])
@pytest.mark.parametrize("angles", [7, 180, [0.0, 20.0, 90.0]])
@pytest.mark.parametrize("shape", SHAPES)
def test_weights_make_all_entries_count_alike(shape, angles, acceleration):
    covered = bands(shape, acceleration, angles)
    weights = band_weights(covered)
    support = covered.any(axis=0)
    assert (weights[~support] == 0).all()
    mean = (weights * covered).mean(axis=0, dtype="float64")
    np.testing.assert_allclose(mean[support], 1, rtol=1e-6)
    if angles == 180:
        assert support.all()


def test_closed_form_of_a_fixed_width():
    n, width = 96, 24
    y, x = (np.arange(n) - n // 2 for _ in range(2))
    t = np.radians(np.arange(720) / 4)[:, None, None]
    fixed = np.abs(x * np.cos(t) + y[:, None] * np.sin(t)) <= width / 2
    share = 1 / band_weights(fixed)
    r = np.hypot(x, y[:, None])
    ratio = np.minimum(width / 2 / np.maximum(r, 1), 1)
    expected = np.where(r <= width / 2, 1, 2 / np.pi * np.arcsin(ratio))
    np.testing.assert_allclose(share, expected, atol=0.004)


def test_closed_form_bounds_bands_of_equal_area():
    """Their width depends on the angle, between those of 0° and of 45°."""
    n = 96
    covered = bands((n, n), 4)
    y, x = (np.arange(n) - n // 2 for _ in range(2))
    t = np.radians(np.arange(180))[:, None, None]
    across = np.abs(x * np.cos(t) + y[:, None] * np.sin(t))
    halves = np.where(covered, across, 0).max(axis=(1, 2))
    assert 11 < halves.max() < 12.001 and 8.5 < halves.min() < 10
    r = np.hypot(x, y[:, None])
    low, high = (
        2 / np.pi * np.arcsin(np.minimum(half / np.maximum(r, 1e-9), 1))
        for half in (halves.min(), halves.max())
    )
    share = 1 / band_weights(covered)
    assert (low - 0.01 < share).all() and (share < high + 0.01).all()


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"shape": (1, 32)}, "`shape`"),
        ({"acceleration": 0.5}, "`acceleration`"),
        ({"angle": "north"}, "`angle`"),
        ({"angle": float("nan")}, "`angle`"),
        ({"acceleration": 1, "calibration": 64}, "`calibration`"),
    ],
)
def test_refuses_invalid_arguments(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        band(**{"shape": (32, 32), "acceleration": 4, **arguments})


@pytest.mark.parametrize("angles", [0, 1.5, True, [], [[0, 1]]])
def test_refuses_invalid_angles(angles):
    with pytest.raises(ValueError, match="`angles`"):
        bands((32, 32), 4, angles)


@pytest.mark.parametrize(
    "given", [np.ones((4, 4)), np.full((1, 4, 4), 0.5), np.ones((0, 4, 4))]
)
def test_refuses_what_are_no_bands(given):
    with pytest.raises(ValueError, match="`bands`"):
        band_weights(given)
