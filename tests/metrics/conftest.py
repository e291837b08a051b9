import keras
import numpy as np
import pytest


@pytest.fixture
def pair():
    """`pair(batch, size, channels)`: images, and the same with noise."""
    return _pair


def _pair(batch=3, size=(31, 33), channels=1, seed=0):
    """Smooth positive images, and the same with noise."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[: size[0], : size[1]] / 10.0
    phase = rng.uniform(0, 6, size=(batch, 1, 1, channels))
    grid = (row + column**1.5)[None, :, :, None]
    true = 0.5 + 0.4 * np.sin(grid + phase)
    noise = np.array([0.01, 0.05, 0.2, 0.1])[:batch, None, None, None]
    pred = true + noise * rng.normal(size=true.shape)
    return true.astype("float32"), pred.astype("float32")


@pytest.fixture
def mixed_float16():
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    yield
    keras.mixed_precision.set_dtype_policy(before)
