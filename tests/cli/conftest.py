import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path, rng):
    """Four volumes of three 16×18 slices."""
    (tmp_path / "data").mkdir()
    for i in range(4):
        volume = rng.uniform(size=(3, 16, 18)).astype("float32")
        np.save(tmp_path / "data" / f"volume_{i}.npy", volume)
    return tmp_path
