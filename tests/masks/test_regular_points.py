import numpy as np
import pytest

from loupe_tf.masks import (
    dc_position,
    lacks_mirror_images,
    mirrored,
    regular_points,
)


@pytest.mark.parametrize("shape", [(24, 36), (25, 33)])
@pytest.mark.parametrize(
    "spacing, shift", [((2, 2), 1), ((3, 4), 0), ((2, 3), 2), ((1, 4), 2)]
)
def test_the_points_are_a_lattice_through_dc(shape, spacing, shift):
    mask = regular_points(shape, spacing, shift, calibration=0)
    rows, columns = (np.arange(n) - n // 2 for n in shape)
    dy, dx = spacing
    expected = np.zeros(shape, bool)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            # A point is a sum of the steps (dy, shift) and (0, dx) from DC.
            steps, rest = divmod(int(y), dy)
            expected[i, j] = rest == 0 and (x - steps * shift) % dx == 0
    np.testing.assert_array_equal(mask.array, expected)
    assert mask.array[shape[0] // 2, shape[1] // 2]
    assert mask.acceleration == mask.achieved_acceleration
    if shape == (24, 36):
        assert mask.achieved_acceleration == dy * dx
    assert mask.provenance == {
        "pattern": "regular_points",
        "spacing": [dy, dx],
        "shift": shift,
    }


def test_a_shift_moves_the_aliases_apart():
    """From two axes to the diagonal, as the paper has it for 2 times 2."""

    def aliases(shift):
        mask = regular_points((8, 8), (2, 2), shift, calibration=0)
        spread = np.abs(np.fft.fft2(np.fft.ifftshift(mask.array)))
        return set(zip(*np.nonzero(spread > 1e-9)))

    assert aliases(0) == {(0, 0), (0, 4), (4, 0), (4, 4)}
    assert aliases(1) == {(0, 0), (4, 0), (2, 4), (6, 4)}


def test_the_calibration_region_is_added():
    grid = regular_points((32, 40), (2, 2), 1, calibration=0)
    mask = regular_points((32, 40), (2, 2), 1, calibration=(6, 8))
    added = mask.array & ~grid.array
    assert added.sum() == 6 * 8 * 3 // 4 and mask.array[grid.array].all()
    assert mask.calibration == (6, 8)
    assert mask.achieved_acceleration < 4
    # fastMRI's share of the shorter side.
    assert regular_points((32, 40), (2, 2)).calibration == round(0.08 * 32)


def test_dc_is_not_taken_to_be_elsewhere(tmp_path):
    mask = regular_points((33, 35), (2, 3), 1, calibration=0)
    assert dc_position(mask.array) is None
    np.testing.assert_array_equal(mirrored(mask.array), mask.array)
    assert lacks_mirror_images(mask) == ""
    path = tmp_path / "mask.npz"
    mask.save(path)
    assert type(mask).load(path) == mask


@pytest.mark.parametrize(
    "name, value",
    [
        ("spacing", (1, 1)),
        ("spacing", (0, 4)),
        ("spacing", (2, 2.5)),
        ("spacing", 4),
        ("shift", 2),
        ("shift", -1),
        ("shift", 0.5),
        ("calibration", 40),
        ("shape", (8,)),
    ],
)
def test_what_is_refused(name, value):
    given = {"shape": (16, 16), "spacing": (4, 2), name: value}
    with pytest.raises(ValueError, match=f"`{name}`"):
        regular_points(**given)
