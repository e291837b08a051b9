import numpy as np
import pytest
from keras import ops

from loupe_tf.operators import NonUniform, Toeplitz


def draw(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    "size, coils, batch",
    [((15, 8), None, 1), ((7, 9), 3, 2), ((1, 5), 2, 1), ((3, 4, 5), None, 2)],
)
def test_is_the_normal_operator(rng, size, coils, batch):
    axes = len(size)
    positions = rng.uniform(-0.5, 0.5, (batch, 6, 7, axes))
    maps = None if coils is None else draw(rng, 2, coils, *size, 2)
    scan = NonUniform(positions, size, maps, accuracy=1e-6)
    density = rng.uniform(0.5, 2, (batch, 1, 6, 7, 1)).astype(np.float32)
    x = draw(rng, 2, *size, 2)
    for weights in (None, density):
        found = Toeplitz(scan, weights).normal(x)
        weights = 1 if weights is None else weights
        expected = scan.adjoint(ops.multiply(weights, scan.forward(x)))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, atol=1e-5 * scale)


def test_volumes_without_a_transform_of_their_read_out(rng):
    scan = NonUniform(
        rng.uniform(-0.5, 0.5, (1, 30, 2)),
        (6, 7),
        draw(rng, 1, 2, 3, 6, 7, 2),
        accuracy=1e-6,
    )
    x = draw(rng, 2, 3, 6, 7, 2)
    np.testing.assert_allclose(
        Toeplitz(scan).normal(x), scan.normal(x), atol=1e-3
    )


def test_learned_positions(rng, gradient):
    """The gradient is that of the operator that it stands for."""
    x = draw(rng, 1, 6, 7, 2)

    def energy(kind):
        def of(positions):
            scan = NonUniform(positions, (6, 7), accuracy=1e-6)
            return ops.sum(ops.multiply(x, kind(scan).normal(x)))

        return of

    positions = rng.uniform(-0.5, 0.5, (1, 9, 2)).astype(np.float32)
    found = gradient(energy(Toeplitz), positions)
    expected = gradient(energy(lambda scan: scan), positions)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
