"""Agreement with FINUFFT, in double precision, over a random sweep."""

import numpy as np
import pytest
from keras import ops

from loupe_tf.operators import NonUniform

finufft = pytest.importorskip("finufft")

pytestmark = pytest.mark.slow


def channels(x):
    return np.stack([x.real, x.imag], axis=-1).astype(np.float32)


def complexes(x):
    return ops.convert_to_numpy(x) @ np.array([1, 1j])


@pytest.mark.parametrize("axes, cases", [(2, 160), (3, 40)])
def test_agrees(axes, cases):
    rng = np.random.default_rng(axes)
    apply = {2: finufft.nufft2d2, 3: finufft.nufft3d2}[axes]
    adjoint = {2: finufft.nufft2d1, 3: finufft.nufft3d1}[axes]
    for case in range(cases):
        size = tuple(rng.integers(2, 80 if axes == 2 else 14, axes).tolist())
        count = int(rng.integers(50, 3000))
        accuracy = float(10 ** rng.uniform(-6, -2))
        positions = rng.uniform(-0.5, 0.5, (1, count, axes)).astype("float32")
        x = rng.normal(size=size) + 1j * rng.normal(size=size)
        y = rng.normal(size=count) + 1j * rng.normal(size=count)
        given = positions
        if case % 2:
            given = ops.convert_to_tensor(positions)
        scan = NonUniform(given, size, accuracy=accuracy)
        found = complexes(scan.forward(channels(x[None])))[0, 0]
        back = complexes(scan.adjoint(channels(y[None, None])))[0]
        k = np.ascontiguousarray(positions[0].T, "float64")
        radians = 2 * np.pi * k
        scale = 1 / np.sqrt(np.prod(size))
        exact = scale * apply(*radians, x, isign=-1, eps=1e-12)
        exact_back = scale * adjoint(*radians, y, size, isign=1, eps=1e-12)
        for one, other in ((found, exact), (back, exact_back)):
            error = np.linalg.norm(one - other) / np.linalg.norm(other)
            # One sweep of random numbers: the error is a mean over them.
            assert error < 3 * accuracy, (size, count, accuracy, error)
