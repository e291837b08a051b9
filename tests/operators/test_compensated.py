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
