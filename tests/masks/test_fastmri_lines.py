import numpy as np
import pytest

from loupe_tf import masks

FASTMRI = [1, 6, 12, 17, 19, 20, 21, 22, 27, 33, 38]


@pytest.mark.parametrize("columns", [64, 65, 128, 320, 321])
@pytest.mark.parametrize("rate", [4, 8])
def test_the_formula(columns, rate):
    centre = round(columns * 0.32 / rate)
    distance = rate * (centre - columns) / (centre * rate - columns)
    expected = np.zeros(columns, bool)
    at = 2.0
    while at < columns - 1:
        expected[int(np.around(at))] = True
        at += distance
    first = (columns - centre + 1) // 2
    expected[first : first + centre] = True
    mask = masks.fastmri_lines(columns, rate, offset=2)
    np.testing.assert_array_equal(mask.array, expected[None])
    assert mask.achieved_acceleration == pytest.approx(rate, rel=0.15)


@pytest.mark.parametrize("arguments", [(101, 4, 0.004), (11, 8), (5, 4)])
def test_a_centre_of_no_columns(arguments):
    columns, rate, *_ = arguments
    mask = masks.fastmri_lines(*arguments, offset=1)
    assert np.flatnonzero(mask.array).tolist() == [*range(1, columns - 1, rate)]
    assert mask.calibration in (None, 0)
    assert mask.provenance["centre"] == 0


def test_the_columns_of_fastmri():
    """Bit by bit, from `fastmri` 0.3.0; tests/agreement has the rest."""
    mask = masks.fastmri_lines(40, 4, seed="file_brain_AXT2_200_2000019.h5")
    assert np.flatnonzero(mask.array).tolist() == FASTMRI


def test_seeds_and_offsets():
    first = masks.fastmri_lines(320, 4, seed="file1.h5")
    assert first == masks.fastmri_lines(320, 4, seed="file1.h5")
    drawn = {
        masks.fastmri_lines(320, 4, seed=i).provenance["offset"]
        for i in range(40)
    }
    assert drawn == set(range(round(4 * (320 - 26) / (320 - 104))))


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((0, 4), "`columns`"),
        ((64, 1), "`acceleration`"),
        ((64, 4, 0.25), "`centre_share`"),
        ((64, 4, None, -1), "`offset`"),
        ((64, 4, None, None, -1), "`seed`"),
        ((3, 4, 0.24), "`columns`"),
    ],
)
def test_refuses(arguments, said):
    with pytest.raises(ValueError, match=said):
        masks.fastmri_lines(*arguments)
