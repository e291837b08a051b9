import numpy as np
import pytest
from keras import ops

from loupe_tf.fixed_point import Anderson, Picard


def slow(rng, size=30, rate=0.9):
    q, _ = np.linalg.qr(rng.normal(size=(size, size)))
    w = (q * np.linspace(-0.5, rate, size)) @ q.T
    b = rng.normal(size=(1, size))
    return w.astype("float32"), b.astype("float32")


def test_far_fewer_iterations_than_picard(rng):
    w, b = slow(rng)
    found = [
        solver(lambda x: x @ w + b, np.zeros_like(b))
        for solver in (Picard(1e-4, 200), Anderson(1e-4, 200))
    ]
    plain, mixed = (int(each.iterations[0]) for each in found)
    assert mixed < plain / 2 and float(found[1].residual[0]) <= 1e-4


def test_exact_with_as_many_iterates_as_unknowns(rng):
    """It is then GMRES, which ends after n steps."""
    w, b = slow(rng, size=5, rate=0.9)
    found = Anderson(1e-5, iterations=7, memory=7)(
        lambda x: x @ w + b, np.zeros_like(b)
    )
    expected = np.linalg.solve(np.eye(5) - w.T, b[0])
    np.testing.assert_allclose(
        ops.convert_to_numpy(found.x)[0], expected, rtol=2e-3
    )


@pytest.mark.parametrize("damping", [1.0, 0.4])
def test_weights_against_numpy(rng, damping):
    """The second step, from the minimum over all weights with the sum 1."""
    w, b = slow(rng, size=6)
    function = lambda x: x @ w + b  # noqa: E731
    solver = Anderson(1e-6, iterations=2, damping=damping)
    found = solver(function, np.zeros_like(b))
    first, second = np.zeros_like(b), damping * b
    g, h = function(first) - first, function(second) - second
    share = -np.sum(h * (g - h)) / np.sum((g - h) ** 2)
    first, second = first + damping * g, second + damping * h
    expected = share * first + (1 - share) * second
    np.testing.assert_allclose(
        ops.convert_to_numpy(found.x), expected, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(
    "argument, value",
    [("memory", 0), ("damping", 0), ("regularization", 0)],
)
def test_invalid(argument, value):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        Anderson(**{argument: value})
