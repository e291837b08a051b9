import numpy as np
import pytest
from keras import ops

from loupe_tf.fixed_point import Picard


def test_iterates_are_those_of_the_function():
    found = Picard(iterations=3)(ops.cos, np.ones((1, 2)))
    expected = np.cos(np.cos(np.cos(1)))
    np.testing.assert_allclose(ops.convert_to_numpy(found.x), expected, 1e-6)


def test_damping_tames_an_oscillation():
    """`x ← 1 - x` jumps for ever; half a step meets the fixed point."""
    start = np.array([[0.9]])
    jumping = Picard(iterations=50)(lambda x: 1 - x, start)
    damped = Picard(iterations=50, damping=0.5)(lambda x: 1 - x, start)
    assert float(jumping.residual[0]) > 0.8
    np.testing.assert_allclose(ops.convert_to_numpy(damped.x), 0.5, 1e-5)


def test_rate_is_that_of_the_map():
    # Far from the fixed point 1, so the residual's denominator is constant.
    function = lambda x: 0.8 * x + np.array([[0.2, 20.0]])  # noqa: E731
    found = Picard(1e-6, iterations=20)(function, np.array([[1.0, 99.0]]))
    np.testing.assert_allclose(ops.convert_to_numpy(found.rate), 0.8, 1e-2)


def test_returns_the_smallest_residual():
    """Here the first, since `x ← 3 x + 1` moves away from -1/2."""
    found = Picard(iterations=4)(lambda x: 3 * x + 1, np.array([[-0.6]]))
    np.testing.assert_allclose(ops.convert_to_numpy(found.x), -0.6, 1e-6)
    np.testing.assert_allclose(float(found.residual[0]), 0.25, 1e-5)
    assert float(found.rate[0]) == 1 and int(found.iterations[0]) == 4


def test_invalid():
    with pytest.raises(ValueError, match="`damping`"):
        Picard(damping=1.5)
