import numpy as np
import pytest


@pytest.fixture(autouse=True)
def quick(eager, undrawn):
    """Scripts train without a graph and draw nothing, unless in slow tests."""


@pytest.fixture
def folder(tmp_path, rng):
    """Four volumes of three 16×16 slices, in `data`."""
    (tmp_path / "data").mkdir()
    for i in range(4):
        volume = rng.uniform(size=(3, 16, 16)).astype("float32")
        np.save(tmp_path / "data" / f"volume_{i}.npy", volume)
    return tmp_path
