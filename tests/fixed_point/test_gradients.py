"""Every gradient against the exact one, for linear maps and others."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.fixed_point import (
    GRADIENTS,
    Anderson,
    Broyden,
    Exact,
    Phantom,
    Picard,
    Shine,
    find_fixed_point,
    gradient_of,
)

SIZE = 6


@pytest.fixture
def problem(rng):
    """Matrices of norm 0.7, and the gradient of a loss `Σ c x`."""
    w, b, c = rng.normal(size=(3, 2, SIZE, SIZE)).astype("float32")
    w *= 0.7 / np.linalg.norm(w, 2, axis=(1, 2), keepdims=True)
    return w, b[:, 0], c[:, 0]


def gradient_of_b(gradient, problem, method, solver=None):
    """Of `Σ c x`, in the right side b of `x = W x + b`."""
    w, b, c = problem
    solver = solver or Broyden(1e-6, iterations=3 * SIZE)

    def loss(b):
        x, _ = find_fixed_point(
            lambda x, b: ops.einsum("bij,bj->bi", w, x) + b,
            np.zeros_like(c),
            [b],
            solver,
            method,
        )
        return ops.sum(ops.multiply(c, x))

    return gradient(loss, b)


def adjoint(problem):
    w, _, c = problem
    return np.linalg.solve(np.eye(SIZE) - w.transpose(0, 2, 1), c[..., None])[
        ..., 0
    ]


@pytest.mark.parametrize(
    "solver", [Broyden(1e-6), Anderson(1e-6), Picard(1e-6)]
)
def test_exact(gradient, problem, solver):
    found = gradient_of_b(gradient, problem, Exact(solver))
    np.testing.assert_allclose(found, adjoint(problem), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 3, 60])
def test_phantom(gradient, problem, steps):
    """The sum of as many powers; of many, the exact gradient."""
    w, _, c = problem
    expected, term = 0, c
    for _ in range(steps):
        expected = expected + term
        term = np.einsum("bij,bi->bj", w, term)
    found = gradient_of_b(gradient, problem, Phantom(steps))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    if steps == 60:
        np.testing.assert_allclose(found, adjoint(problem), 1e-3, 1e-4)


def test_jacobian_free(gradient, problem):
    found = gradient_of_b(gradient, problem, "jacobian_free")
    np.testing.assert_allclose(found, problem[2], rtol=1e-5)


def dense(inverse):
    columns = [
        inverse.apply(np.tile(row, (2, 1)))
        for row in np.eye(SIZE, dtype="float32")
    ]
    return np.stack([ops.convert_to_numpy(c) for c in columns], -1)


def test_shine(gradient, problem):
    """`-Hᵀ c`, with H of the search."""
    w, b, c = problem
    solver = Broyden(1e-6, iterations=3 * SIZE)
    found = solver(
        lambda x: ops.einsum("bij,bj->bi", w, x) + b, np.zeros_like(b)
    )
    expected = -np.einsum("bij,bi->bj", dense(found.inverse), c)
    shine = gradient_of_b(gradient, problem, Shine(fallback=None))
    np.testing.assert_allclose(shine, expected, rtol=1e-3, atol=1e-3)
    # No worse than what has no estimate.
    exact = adjoint(problem)
    assert np.linalg.norm(shine - exact) < np.linalg.norm(c - exact)


def test_shine_falls_back_for_each_example(gradient, problem):
    """A large w is left out, in its example alone."""
    w, b, c = problem
    w[0], w[1] = (np.diag(np.full(SIZE, x, "float32")) for x in (0.5, 0.95))
    free = gradient_of_b(gradient, problem, Shine(fallback=None))
    sizes = np.linalg.norm(free, axis=1) / np.linalg.norm(c, axis=1)
    limit = float(sizes.mean())
    # The first is larger than the gradient, but not beyond the limit.
    assert 1.01 < sizes[0] < limit < sizes[1]
    found = gradient_of_b(gradient, problem, Shine(fallback=limit))
    expected = np.where(sizes[:, None] > limit, c, free)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_shine_becomes_exact_with_the_rank(problem):
    """From an estimate made in all directions, the angle is nought."""
    w, b, c = problem
    exact, inverse, cosines = adjoint(problem), None, []
    rng = np.random.default_rng(1)
    for _ in range(4):
        right = rng.normal(size=b.shape).astype("float32")
        found = Broyden(1e-6, iterations=2 * SIZE)(
            lambda x: ops.einsum("bij,bj->bi", w, x) + right,  # noqa: B023
            np.zeros_like(b),
            inverse=inverse,
        )
        inverse = found.inverse
        shine = ops.convert_to_numpy(
            Shine(fallback=None).adjoint(None, found, c)
        )
        products = np.sum(shine * exact, 1) / np.linalg.norm(exact, axis=1)
        cosines.append((products / np.linalg.norm(shine, axis=1)).min())
    assert cosines[-1] > 0.98 and cosines[-1] >= cosines[0]


def test_refinement_ends_at_the_exact_gradient(gradient, problem):
    exact = adjoint(problem)
    errors = [
        np.linalg.norm(
            gradient_of_b(gradient, problem, Shine(refinement=n)) - exact
        )
        for n in (0, 3, 2 * SIZE)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3 * np.linalg.norm(exact)


def test_exact_against_finite_differences(gradient, rng):
    """In every parameter of a nonlinear map, through a converged search."""
    w = (0.6 * rng.normal(size=(4, 4)) / 2).astype("float32")
    c = rng.normal(size=(3, 4)).astype("float32")
    u = rng.normal(size=(3, 4)).astype("float32")

    def solve(w):
        x = np.zeros((3, 4))
        for _ in range(500):
            x = np.tanh(x @ w + u)
        return np.sum(c * x)

    def loss(w):
        x, _ = find_fixed_point(
            lambda x, w: ops.tanh(ops.add(ops.matmul(x, w), u)),
            np.zeros((3, 4), "float32"),
            [w],
            Anderson(1e-6),
        )
        return ops.sum(ops.multiply(c, x))

    found, step = gradient(loss, w), 1e-5
    for i, j in np.ndindex(4, 4):
        unit = np.zeros((4, 4))
        unit[i, j] = step
        expected = (solve(w + unit) - solve(w - unit)) / (2 * step)
        np.testing.assert_allclose(found[i, j], expected, rtol=2e-3, atol=2e-3)


class Equilibrium(keras.layers.Layer):
    """`x = W x + b` with a common weight b."""

    def __init__(self, w, method):
        super().__init__()
        self.w, self.method = w, method

    def build(self, shape):
        self.b = self.add_weight(shape=(SIZE,), initializer="zeros")

    def call(self, start):
        return find_fixed_point(
            lambda x, b: ops.matmul(x, self.w) + b,
            start,
            [ops.convert_to_tensor(self.b)],
            Broyden(1e-6, iterations=2 * SIZE),
            self.method,
        )[0]


FAST = ("exact", "shine_refined")
SLOW = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in GRADIENTS
    if name not in FAST
]


@pytest.mark.parametrize("method", [*FAST, *SLOW])
def test_training(problem, method):
    """Compiled, by one step: the weight moves by its gradient."""
    w, _, c = problem
    layer = Equilibrium(w[0], method)
    model = keras.Sequential([keras.Input((SIZE,)), layer])
    model.compile(
        keras.optimizers.SGD(1.0), loss=lambda c, x: ops.sum(c * x, -1)
    )
    model.train_on_batch(np.ones((2, SIZE)), c)
    moved = -ops.convert_to_numpy(layer.b)
    exact = np.linalg.solve(np.eye(SIZE) - w[0], c.mean(0))
    cosine = moved @ exact / np.linalg.norm(moved) / np.linalg.norm(exact)
    assert cosine > 0.8
    if method in FAST:
        np.testing.assert_allclose(moved, exact, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("name", GRADIENTS)
def test_configuration(name):
    gradient = gradient_of(name)
    assert gradient_of(gradient) is gradient
    serialize = keras.saving.serialize_keras_object
    twin = keras.saving.deserialize_keras_object(serialize(gradient))
    assert serialize(twin) == serialize(gradient)


@pytest.mark.parametrize(
    "argument, make",
    [
        ("gradient", functools.partial(gradient_of, "none")),
        ("steps", functools.partial(Phantom, 0)),
        ("solver", functools.partial(Exact, "broyden")),
        ("refinement", functools.partial(Shine, -1)),
        ("fallback", functools.partial(Shine, fallback=0.5)),
        (
            "solver",
            lambda: find_fixed_point(
                ops.cos, np.ones((1, 2)), gradient="shine"
            ),
        ),
    ],
)
def test_invalid(argument, make):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        make()
