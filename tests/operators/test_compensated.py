import numpy as np
from keras import ops

from loupe_tf.operators import Compensated, NonUniform


def test_adjoint_of_the_weighted_product(rng):
    """`Σ d conj(A x) y` is `<x, Aᴴ D y>`, and the residual has weights."""
    image = rng.normal(size=(1, 6, 7, 2)).astype("float32")
    samples = rng.normal(size=(1, 1, 20, 2)).astype("float32")
    density = rng.uniform(0.1, 1, (1, 1, 20, 1)).astype("float32")
    plain = NonUniform(rng.uniform(-0.5, 0.5, (1, 20, 2)), (6, 7))
    scan = Compensated(plain, density)
    measured = ops.convert_to_numpy(scan.forward(image))
    found = ops.convert_to_numpy(scan.adjoint(samples))
    np.testing.assert_allclose(
        (density * measured * samples).sum(), (image * found).sum(), rtol=1e-4
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(scan.normal(image)),
        ops.convert_to_numpy(plain.adjoint(density * measured)),
        atol=1e-5,
    )
    assert scan.maps is None


def test_volumes_with_a_trajectory_for_each_example(rng):
    """As many coils as examples: weights must not meet the wrong axis."""
    positions = rng.uniform(-0.5, 0.5, (2, 20, 2)).astype("float32")
    density = rng.uniform(0.1, 1, (2, 1, 20, 1)).astype("float32")
    maps = rng.normal(size=(2, 2, 1, 6, 7, 2)).astype("float32")
    samples = rng.normal(size=(2, 2, 3, 20, 2)).astype("float32")
    scan = Compensated(NonUniform(positions, (6, 7), maps), density)
    found = ops.convert_to_numpy(scan.adjoint(samples))
    for plane in range(3):
        flat = Compensated(
            NonUniform(positions, (6, 7), maps[:, :, 0]), density
        )
        expected = ops.convert_to_numpy(flat.adjoint(samples[:, :, plane]))
        np.testing.assert_allclose(found[:, plane], expected, atol=1e-4)
