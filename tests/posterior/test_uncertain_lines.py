import numpy as np
import pytest
from gaussian_case import channels, ifft2c

from loupe_tf import masks
from loupe_tf.posterior import uncertain_lines


def draws(rng, deviation, batch=2):
    """Samples whose k-space has these deviations, `(H, W)`."""
    pair = rng.normal(size=(2, 12, batch, *deviation.shape))
    return channels(ifft2c(deviation * (pair[0] + 1j * pair[1])))


def test_the_most_uncertain_lines_are_added(rng):
    deviation = np.ones((8, 9)) * np.arange(1, 10) ** 2
    mask = masks.SamplingMask(np.arange(9)[None] == 8)
    found = uncertain_lines(draws(rng, deviation), mask, 2)
    np.testing.assert_array_equal(np.flatnonzero(found.array), [6, 7, 8])
    assert found.array.shape == (1, 9)
    assert found.provenance["pattern"] == "uncertain_lines"


def test_rows_and_a_mask_of_points(rng):
    deviation = np.ones((8, 9)) * np.arange(8)[:, None]
    mask = np.zeros((8, 9), bool)
    mask[4], mask[7, :3] = True, True  # A row in part is not acquired.
    found = uncertain_lines(draws(rng, deviation), mask, 1, "rows")
    np.testing.assert_array_equal(np.flatnonzero(found.array), [4, 7])


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"count": 9}, "`count`.*at most 8"),
        ({"lines": "points"}, "`lines`"),
        ({"mask": np.ones((1, 7), bool)}, "`mask`"),
        ({"samples": np.zeros((1, 1, 8, 9, 2))}, "`samples`"),
    ],
)
def test_arguments_are_checked(rng, wrong, message):
    given = {
        "samples": np.zeros((2, 1, 8, 9, 2)),
        "mask": np.arange(9)[None] == 4,
        "count": 1,
    }
    with pytest.raises(ValueError, match=message):
        uncertain_lines(**{**given, **wrong})
