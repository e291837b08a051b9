import numpy as np
import pytest

from loupe_tf import posterior


def test_any_distribution_is_covered(rng):
    """Deviations that have nothing to do with the errors."""
    draws = rng.normal(size=(5, 8, 16, 16, 1))
    truth = rng.standard_cauchy(size=(8, 16, 16, 1))
    halves = slice(0, 4), slice(4, 8)
    first, second = ((draws[:, half], truth[half]) for half in halves)
    for level in 0.5, 0.9:
        factor = posterior.conformal_factor(*first, level)
        assert abs(posterior.share_within(*second, factor) - level) < 0.04


def test_few_pixels_promise_nothing(rng):
    draws = rng.normal(size=(5, 1, 2, 2, 1))
    assert posterior.conformal_factor(draws[1:], draws[0], 0.9) == np.inf
    # The third smallest of four.
    factor = posterior.conformal_factor(draws[1:], draws[0], 0.6)
    assert posterior.share_within(draws[1:], draws[0], factor) == 0.75


def test_pixels_without_a_deviation_are_refused():
    with pytest.raises(ValueError, match="16 pixels without a deviation"):
        posterior.conformal_factor(
            np.zeros((3, 1, 4, 4, 1)), np.zeros((1, 4, 4, 1))
        )
