"""What all solvers share."""

import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.fixed_point import Anderson, Broyden, Picard

SOLVERS = [
    Picard(1e-5, iterations=300),
    Anderson(1e-5, iterations=60),
    Broyden(1e-5, iterations=60),
]


def maps(rng, number=3, size=12, rate=0.9):
    """Matrices of a given norm, and right sides."""
    w = rng.normal(size=(number, size, size))
    w *= rate / np.linalg.norm(w, 2, axis=(1, 2), keepdims=True)
    return w.astype("float32"), rng.normal(size=(number, size)).astype(
        "float32"
    )


def affine(w, b):
    return lambda x: ops.einsum("bij,bj->bi", w, x) + b


def run(solver, function, start, **kwargs):
    """The result as arrays, by a compiled function."""

    class Search(keras.Model):
        def call(self, x):
            found = solver(function, x, **kwargs)
            return {k: v for k, v in found._asdict().items() if k != "inverse"}

    return Search().predict_on_batch(start)


@pytest.mark.parametrize("solver", SOLVERS)
def test_finds_each_examples_fixed_point(rng, solver):
    """Examples of other scales and rates do not change one."""
    w, b = maps(rng)
    w[1] *= 0.1
    b[2] *= 1e-4
    expected = np.linalg.solve(np.eye(12) - w, b[..., None])[..., 0]
    found = run(solver, affine(w, b), np.zeros_like(b))
    error = np.linalg.norm(found["x"] - expected, axis=1)
    assert (error < 1e-4 * np.linalg.norm(expected, axis=1)).all()
    assert (found["residual"] <= 1e-5).all()
    assert found["iterations"][1] < found["iterations"][0]
    value = np.einsum("bij,bj->bi", w, found["x"]) + b
    np.testing.assert_allclose(found["value"], value, rtol=1e-3, atol=1e-6)
    alone = run(solver, affine(w[2:], b[2:]), np.zeros_like(b[2:]))
    assert alone["iterations"][0] == found["iterations"][2]


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_contraction_and_no_number(rng, solver):
    """The smallest residual is kept, and nothing spreads between examples."""
    w, b = maps(rng, 4)
    w[1] = 3 * np.eye(12)
    w[2, 0, 0] = np.nan
    start = np.zeros_like(b)
    start[1] = 1e10

    def function(x):
        diverging = ops.square(x) + 1.0
        return ops.where(np.arange(4)[:, None] == 3, diverging, affine(w, b)(x))

    found = run(solver, function, start)
    assert found["residual"][0] <= 1e-5
    assert np.isfinite(found["x"]).all()
    assert found["residual"][2] == np.inf and found["iterations"][2] == 0
    assert found["rate"][3] > 0.9 and found["residual"][3] > 0.3
    assert found["rate"][2] == 1


@pytest.mark.parametrize("solver", SOLVERS)
def test_limits_given_at_the_call(rng, solver):
    w, b = maps(rng)
    few = run(solver, affine(w, b), np.zeros_like(b), iterations=2)
    assert (few["iterations"] == 2).all()
    np.testing.assert_array_less(few["rate"], 1)
    loose = run(solver, affine(w, b), np.zeros_like(b), tolerance=0.1)
    assert (loose["residual"] <= 0.1).all() and (loose["iterations"] > 0).all()
    none = run(solver, affine(w, b), np.ones_like(b), iterations=0)
    np.testing.assert_array_equal(none["x"], 1)


def test_axes_of_an_image(rng):
    """Every axis but the first belongs to the example."""
    x = rng.normal(size=(2, 3, 4, 2)).astype("float32")
    for solver in SOLVERS:
        found = solver(lambda z: 0.5 * ops.flip(z, 1) + x, np.zeros_like(x))
        expected = (x + x[:, ::-1] / 2) / 0.75
        np.testing.assert_allclose(
            ops.convert_to_numpy(found.x), expected, atol=1e-4
        )


def test_zeros_have_converged():
    for solver in SOLVERS:
        found = solver(lambda x: 0.5 * x, np.zeros((1, 3)))
        assert int(found.iterations[0]) == 0 and float(found.residual[0]) == 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_configuration(solver):
    serialize = keras.saving.serialize_keras_object
    config = serialize(solver)
    twin = keras.saving.deserialize_keras_object(config)
    assert serialize(twin) == config and type(twin) is type(solver)


@pytest.mark.parametrize("kind", [Picard, Anderson, Broyden])
@pytest.mark.parametrize(
    "argument, value",
    [("tolerance", 1e-8), ("tolerance", 1), ("iterations", -1)],
)
def test_invalid(kind, argument, value):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        kind(**{argument: value})
