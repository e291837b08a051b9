import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.operators import Cartesian, conjugate_gradient


def draw(rng, *shape):
    return rng.normal(size=shape).astype("float32")


def matrices(rng, number, size):
    """Symmetric positive definite matrices, (number, size, size)."""
    roots = rng.normal(size=(number, size, size))
    return roots @ np.swapaxes(roots, 1, 2) + np.eye(size)


def test_solves_each_example(rng):
    """In as many iterations as there are unknowns, by its own steps."""
    a, b = matrices(rng, 3, 5), rng.normal(size=(3, 5))
    a[1] *= 1e3
    b[2] *= 1e-6
    expected = np.linalg.solve(a, b[..., None])[..., 0]

    matrix = ops.convert_to_tensor(a, "float32")

    def normal(x):
        product = ops.matmul(matrix, ops.expand_dims(x, -1))
        return ops.squeeze(product, -1)

    near = ops.convert_to_tensor(
        expected * rng.uniform(0.5, 2, (3, 5)), "float32"
    )
    for start in (None, near):
        found = conjugate_gradient(
            normal, ops.convert_to_tensor(b, "float32"), start, iterations=12
        )
        np.testing.assert_allclose(
            ops.convert_to_numpy(found), expected, rtol=5e-3
        )


@pytest.mark.parametrize("size", [(8, 10), (7, 9)])
def test_residual_falls(rng, size):
    mask = (rng.uniform(size=(1, *size, 1)) < 0.4).astype("float32")
    maps = draw(rng, 2, 3, *size, 2)
    scan = Cartesian(mask, maps)
    b = scan.adjoint(ops.convert_to_tensor(draw(rng, 2, 3, *size, 2)))

    def normal(x):
        return scan.normal(x) + 0.1 * x

    norms = [
        np.linalg.norm(
            ops.convert_to_numpy(
                b - normal(conjugate_gradient(normal, b, iterations=n))
            )
        )
        for n in (1, 8, 32)
    ]
    assert norms[0] > 5 * norms[1] > 25 * norms[2]


def test_zero_right_side_and_exact_start(rng):
    b = np.concatenate([np.zeros((1, 4, 4, 2)), np.ones((1, 4, 4, 2))])
    b = ops.convert_to_tensor(b, "float32")

    def normal(x):
        return 2.0 * x

    found = ops.convert_to_numpy(conjugate_gradient(normal, b))
    np.testing.assert_array_equal(found, ops.convert_to_numpy(b) / 2)
    found = conjugate_gradient(normal, b, start=b / 2)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(found), ops.convert_to_numpy(b) / 2
    )


class Solve(keras.layers.Layer):
    """Solve `(D + λ) x = b`, of a diagonal D, with λ a weight."""

    def __init__(self, implicit):
        super().__init__()
        self.implicit = implicit

    def build(self, shape):
        self.weight = self.add_weight(shape=(), initializer="ones")

    def call(self, b):
        diagonal = ops.linspace(0.0, 2.0, 6)
        if self.implicit:
            return conjugate_gradient(
                lambda x, weight: diagonal * x + weight * x,
                b,
                iterations=8,
                tensors=[self.weight],
            )
        return conjugate_gradient(
            lambda x: diagonal * x + self.weight * x, b, iterations=8
        )


@pytest.mark.parametrize("implicit", [False, True])
def test_gradient(rng, implicit):
    """One step of training moves the weight as the closed form says."""
    b = draw(rng, 3, 6)
    b[1] = 0
    layer = Solve(implicit)
    model = keras.Sequential([keras.Input((6,)), layer])
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    model.train_on_batch(b, np.zeros_like(b))
    diagonal = np.linspace(0, 2, 6)
    expected = np.mean(-2 * b**2 / (diagonal + 1) ** 3)
    found = 1 - float(ops.convert_to_numpy(layer.weight))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("start", [False, True])
def test_implicit_gradient(rng, gradient, start):
    """It is that of converged iterations, in the right side and in a mask."""
    size = (7, 9)
    mask = rng.uniform(size=(2, *size, 1)).astype("float32")
    maps, v = draw(rng, 2, 3, *size, 2), draw(rng, 2, *size, 2)
    b = draw(rng, 2, *size, 2)

    def loss(mask, b, iterations, implicit):
        scan = Cartesian(mask, maps)
        apply, tensors = scan.make_normal()
        first = b / 2 if start else None
        if implicit:
            x = conjugate_gradient(
                lambda x, *tensors: apply(x, *tensors) + x,
                *(b, first, iterations, tensors),
            )
        else:
            x = conjugate_gradient(
                lambda x: scan.normal(x) + x, b, first, iterations
            )
        return ops.sum(ops.multiply(v, x))

    for of_mask in (True, False):

        def along(x, iterations, implicit, of_mask=of_mask):
            inputs = (x, ops.convert_to_tensor(b)) if of_mask else (mask, x)
            return loss(*inputs, iterations, implicit)

        found, expected = (
            gradient(lambda x, i=i: along(x, 60, i), mask if of_mask else b)
            for i in (True, False)
        )
        scale = np.abs(expected).max()
        assert scale > 0
        np.testing.assert_allclose(found, expected, atol=2e-4 * scale)


def test_implicit_solution_is_the_same(rng):
    """The iterations are the same, converged or not."""
    b = draw(rng, 3, 6)
    b[1] = 0
    diagonal = ops.linspace(0.5, 2.0, 6)

    def normal(x):
        return diagonal * x

    for start in (None, 2 * b):
        for iterations in (0, 2, 8):
            found, expected = (
                ops.convert_to_numpy(
                    conjugate_gradient(normal, b, start, iterations, tensors)
                )
                for tensors in ([], None)
            )
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
