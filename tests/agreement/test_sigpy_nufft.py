"""Agreement with sigpy's `nufft`: its unit is cycles per field of view.

Axes, sign and scale are ours.
"""

import numpy as np
import pytest
from keras import ops

from loupe_tf.operators import NonUniform

sigpy = pytest.importorskip("sigpy")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", [(16, 20), (15, 18), (6, 8, 7)])
def test_operator(rng, size):
    positions = rng.uniform(-0.5, 0.5, (60, len(size)))
    image = rng.normal(size=size) + 1j * rng.normal(size=size)
    options = {"oversamp": 2, "width": 8}
    samples = sigpy.nufft(image, positions * size, **options)
    back = sigpy.nufft_adjoint(samples, positions * size, size, **options)
    ours = NonUniform(positions[None], size)

    def channels(x):
        return np.stack([x.real, x.imag], axis=-1).astype("float32")

    for found, expected in (
        (ours.forward(channels(image)[None])[0, 0], samples),
        (ours.adjoint(channels(samples)[None, None])[0], back),
    ):
        found = ops.convert_to_numpy(found) @ np.array([1, 1j])
        apart = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        assert apart < 1e-4
