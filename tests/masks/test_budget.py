import numpy as np
import pytest

from loupe_tf.masks import budget, calibration_region


@pytest.mark.parametrize(
    "size, acceleration, expected",
    [
        (320 * 320, 4, 25600),
        (320, 13.7, 23),
        (10, 4, 2),  # 2.5: a half goes to the even neighbour.
        (14, 4, 4),  # 3.5
        (31 * 33, 8, 128),
        (np.int64(64), np.float32(2), 32),
        (1, 1.5, 1),
    ],
)
def test_budget(size, acceleration, expected):
    entries = budget(size, acceleration)
    assert entries == expected
    assert type(entries) is int


@pytest.mark.parametrize(
    "acceleration",
    [1, 0.5, 0, -4, float("nan"), float("inf"), "4", None, True, [4]],
)
def test_budget_refuses_acceleration(acceleration):
    with pytest.raises(
        ValueError, match="`acceleration`. Expected a finite .* Received: acc"
    ):
        budget(100, acceleration)


def test_budget_refuses_to_acquire_nothing():
    with pytest.raises(ValueError, match="at least one of the 10 entries"):
        budget(10, 21)


@pytest.mark.parametrize("size", [0, -1, 2.0, "3", True, None])
def test_budget_refuses_size(size):
    with pytest.raises(ValueError, match="`size`. Expected an integer of at"):
        budget(size, 4)


@pytest.mark.parametrize(
    "shape, calibration, rows, columns",
    [
        ((8, 8), 4, (2, 6), (2, 6)),
        ((9, 9), 3, (3, 6), (3, 6)),
        ((8, 8), 3, (3, 6), (3, 6)),
        ((9, 9), 4, (2, 6), (2, 6)),
        ((8, 9), (2, 5), (3, 5), (2, 7)),
        ((8, 9), [8, 9], (0, 8), (0, 9)),
        ((1, 9), 4, (0, 1), (2, 6)),
        ((8, 1), np.int64(3), (3, 6), (0, 1)),
        ((1, 9), 9, (0, 1), (0, 9)),
        ((4, 4), 1, (2, 3), (2, 3)),  # DC alone.
    ],
)
def test_calibration_region(shape, calibration, rows, columns):
    expected = np.zeros(shape, dtype=bool)
    expected[slice(*rows), slice(*columns)] = True
    region = calibration_region(shape, calibration)
    assert region.dtype == bool
    np.testing.assert_array_equal(region, expected)


@pytest.mark.parametrize("shape", [(8, 9), (1, 9), (8, 1), (1, 1)])
@pytest.mark.parametrize("calibration", [None, 0])
def test_no_calibration_region(shape, calibration):
    region = calibration_region(shape, calibration)
    assert region.shape == shape
    assert not region.any()


@pytest.mark.parametrize(
    "calibration", [-1, 2.0, "4", True, (2, -1), (2, 2, 2), (2.0, 2), {2: 2}]
)
def test_calibration_region_refuses_wrong_type(calibration):
    with pytest.raises(ValueError, match="`calibration`. Expected .*integer"):
        calibration_region((8, 8), calibration)


@pytest.mark.parametrize(
    "shape, calibration",
    [((8, 9), 9), ((8, 9), (9, 2)), ((1, 9), 10), ((8, 1), 9)],
)
def test_calibration_region_refuses_too_large(shape, calibration):
    with pytest.raises(ValueError, match="`calibration`. Expected a region"):
        calibration_region(shape, calibration)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1)])
def test_calibration_region_of_lines_refuses_a_pair(shape):
    with pytest.raises(ValueError, match="Expected the number of lines"):
        calibration_region(shape, (1, 1))


@pytest.mark.parametrize("shape", [8, (8,), (8, 8, 1), (0, 8), (8.0, 8), "88"])
def test_calibration_region_refuses_shape(shape):
    with pytest.raises(ValueError, match="`shape`. Expected a pair"):
        calibration_region(shape, 2)
