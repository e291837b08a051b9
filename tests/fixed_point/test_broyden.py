import numpy as np
import pytest
from keras import ops

from loupe_tf.fixed_point import Broyden
from loupe_tf.fixed_point.low_rank import LowRank

SIZE = 6


def problem(rng, number=2):
    w = rng.normal(size=(number, SIZE, SIZE)).astype("float32") / 2
    b = rng.normal(size=(number, SIZE)).astype("float32")
    return w, b, lambda x: ops.einsum("bij,bj->bi", w, x) + b


def dense(inverse):
    """H of each example, from its columns."""
    batch = inverse.left.shape[0]
    columns = [
        inverse.apply(np.tile(np.eye(SIZE, dtype="float32")[i], (batch, 1)))
        for i in range(SIZE)
    ]
    return np.stack([ops.convert_to_numpy(c) for c in columns], -1)


def test_exact_after_two_steps_for_each_unknown(rng):
    """Linear equations, contracting or not."""
    w, b, function = problem(rng)
    assert np.linalg.norm(w, 2, axis=(1, 2)).max() > 1
    found = Broyden(1e-5, iterations=2 * SIZE)(function, np.zeros_like(b))
    expected = np.linalg.solve(np.eye(SIZE) - w, b[..., None])[..., 0]
    np.testing.assert_allclose(
        ops.convert_to_numpy(found.x), expected, rtol=1e-2, atol=1e-3
    )
    assert (ops.convert_to_numpy(found.residual) < 1e-3).all()


@pytest.mark.parametrize("steps", [1, 4])
def test_estimate_against_numpy(rng, steps):
    """And the secant condition, H Δg = Δx of the last step."""
    w, b, function = problem(rng)
    found = Broyden(1e-6, iterations=steps)(function, np.zeros_like(b))
    x, matrix = np.zeros_like(b), np.tile(-np.eye(SIZE), (2, 1, 1))
    g = b
    for _ in range(steps):
        moved = -np.einsum("bij,bj->bi", matrix, g)
        x = x + moved
        new = np.einsum("bij,bj->bi", w, x) + b - x
        changed, g = new - g, new
        predicted = np.einsum("bij,bj->bi", matrix, changed)
        row = np.einsum("bi,bij->bj", moved, matrix)
        scale = np.einsum("bi,bi->b", moved, predicted)
        outer = np.einsum("bi,bj->bij", moved - predicted, row)
        matrix = matrix + outer / scale[:, None, None]
    estimate = dense(found.inverse)
    np.testing.assert_allclose(estimate, matrix, rtol=1e-2, atol=1e-2)
    product = np.einsum("bij,bj->bi", estimate, changed)
    np.testing.assert_allclose(product, moved, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("size, updates", [(1e-7, 0), (1e-2, 1)])
def test_rounding_does_not_reach_the_estimate(size, updates):
    """A change of f(x) - x at the level of float32 is not learned."""
    solver = Broyden(memory=2)
    x = ops.ones((1, SIZE))
    moved = ops.full((1, SIZE), size, "float32")
    memory = solver.learn(
        ops.convert_to_tensor([True]),
        x,
        moved,
        -0.5 * moved,
        solver.memory_for(x),
    )
    assert int(memory[-1][0]) == updates
    assert bool(ops.any(memory[0] != 0)) == bool(updates)


def test_a_change_across_the_step_is_not_learned():
    """`Δxᵀ H Δg` is 0 there, and the update would divide by it."""
    solver = Broyden(memory=2)
    x = ops.ones((1, SIZE))
    moved, changed = (
        ops.convert_to_tensor(np.eye(SIZE, dtype="float32")[[i]])
        for i in (0, 1)
    )
    memory = solver.learn(
        ops.convert_to_tensor([True]), x, moved, changed, solver.memory_for(x)
    )
    assert int(memory[-1][0]) == 0
    assert not any(bool(ops.any(each != 0)) for each in memory[:2])


def test_full_memory_goes_on(rng):
    """It converges by the estimate that it has."""
    w, b, function = problem(rng)
    w *= 0.9 / np.linalg.norm(w, 2, axis=(1, 2), keepdims=True)
    found = Broyden(1e-4, iterations=200, memory=3)(function, np.zeros_like(b))
    assert found.inverse.left.shape == (2, 3, SIZE)
    assert (ops.convert_to_numpy(found.residual) <= 1e-4).all()


def test_low_rank(rng):
    left, right = rng.normal(size=(2, 2, 3, 8)).astype("float32")
    x = rng.normal(size=(2, 2, 4)).astype("float32")
    matrix = np.einsum("bmi,bmj->bij", left, right) - np.eye(8)
    inverse = LowRank(left, right)
    for found, expected in (
        (inverse, matrix),
        (
            inverse.transpose(),
            matrix.transpose(0, 2, 1),
        ),
    ):
        np.testing.assert_allclose(
            ops.convert_to_numpy(found.apply(x)).reshape(2, 8),
            np.einsum("bij,bj->bi", expected, x.reshape(2, 8)),
            rtol=1e-4,
            atol=1e-4,
        )


def test_memory_beyond_the_machine():
    """Refused before it is asked for."""
    solver = Broyden(memory=10**9)
    with pytest.raises(ValueError, match="`memory`.*GiB"):
        solver(lambda x: 0.5 * x, np.ones((1, 10**5), "float32"))


def test_invalid():
    with pytest.raises(ValueError, match="`memory`"):
        Broyden(memory=0)
