import numpy as np
import pytest


@pytest.fixture
def volumes():
    return np.array(["b"] * 3 + ["a"] * 5)
