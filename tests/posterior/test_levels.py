import warnings

import numpy as np
import pytest

from loupe_tf import posterior
from loupe_tf.posterior.levels import standardize_levels, warn_of_last


class Score:
    levels = (0.01, 1.0)


def test_levels_have_one_ratio():
    levels = posterior.noise_levels(1, 0.01, count=5)
    np.testing.assert_allclose(levels[1:] / levels[:-1], 0.01**0.25, rtol=1e-6)
    with pytest.raises(ValueError, match="`first`"):
        posterior.noise_levels(0.1, 0.2)


def test_the_range_of_a_score_is_the_default():
    levels, flow = standardize_levels(None, None, Score(), sigma=1)
    np.testing.assert_allclose(levels[[0, -1]], [1, 0.03], rtol=1e-6)
    np.testing.assert_allclose(flow[[0, -2, -1]], [0.03, 0.01, 0], rtol=1e-6)
    with pytest.raises(ValueError, match="`levels`.*no range"):
        standardize_levels(None, None, print)


@pytest.mark.parametrize(
    "sigma, last", [(0.1, 0.02), (0.01, 0.01), (0, 0.01), (9, 0.03)]
)
def test_the_last_level_is_a_fifth_of_the_noise_level(sigma, last):
    """Within what the score is trained for, and what images need."""
    levels, flow = standardize_levels(None, None, Score(), sigma)
    np.testing.assert_allclose([levels[-1], flow[-2]], [last, 0.01], rtol=1e-6)


def test_a_last_level_that_is_not_below_the_noise_brings_a_warning():
    with pytest.warns(UserWarning, match="33%.*End at 0.02, "):
        warn_of_last(0.1, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_last(0.05, 0.1)
        warn_of_last(0.1, 0)


def test_the_flow_stays_in_the_range():
    assert len(standardize_levels([0.5, 0.1], None, print)[1]) == 2
    flow = standardize_levels([0.5, 0.015], None, Score())[1]
    np.testing.assert_allclose(flow[-2], 0.01)
    # Also where float32 has rounded the last level below it.
    assert len(standardize_levels(np.float32([0.5, 0.01]), 0.01, Score())[1])
    flow = standardize_levels([0.5, 0.15], None, Score())[1]
    np.testing.assert_allclose(flow[-2], 0.05)
