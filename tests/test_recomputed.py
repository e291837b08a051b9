import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.fixed_point.vjp import vjp
from loupe_tf.recomputed import recomputed

STEPS, INNER = 6, 9


def step(x, weights):
    """The inner values are kept for its gradient."""
    inner = x
    for _ in range(INNER):
        inner = ops.tanh(ops.matmul(inner, weights))
    return (x + inner,)


def chain(x, weights, function):
    for _ in range(STEPS):
        (x,) = function(x, weights)
    return x


def test_same_values_and_gradients(rng):
    x, weights, upstream = (
        ops.convert_to_tensor(rng.normal(size=(3, 3)).astype("float32"))
        for _ in range(3)
    )

    def outcome(function):
        values = (
            chain(x, weights, function),
            vjp(lambda x: chain(x, weights, function), x)(upstream),
            vjp(lambda w: chain(x, w, function), weights)(upstream),
        )
        return map(ops.convert_to_numpy, values)

    for one, other in zip(outcome(recomputed(step)), outcome(step)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_values_without_a_gradient():
    """A seed's state goes through, and other values keep their gradient."""

    def draw(x, state):
        return x * x, state + 1

    x = ops.convert_to_tensor(np.float32([1, 2, 3]))
    state = ops.convert_to_tensor(np.uint32([4, 5]))
    _, after = recomputed(draw)(x, state)
    np.testing.assert_array_equal(ops.convert_to_numpy(after), [5, 6])
    found = vjp(lambda x: recomputed(draw)(x, state)[0], x)(ops.ones((3,)))
    np.testing.assert_allclose(ops.convert_to_numpy(found), [2, 4, 6])


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="JAX tells the memory of a program"
)
def test_memory():
    """The values within a step are not kept, on a CPU too."""
    import jax

    x = weights = jax.numpy.ones((64, 64))

    def kept(function):
        """Arrays of the size of x."""
        gradient = jax.grad(lambda x, w: chain(x, w, function).sum())
        compiled = jax.jit(gradient).lower(x, weights).compile()
        return compiled.memory_analysis().temp_size_in_bytes / x.nbytes

    # The state between steps remains, and what is in use within one.
    assert kept(recomputed(step)) < STEPS + 3 * INNER < kept(step)
