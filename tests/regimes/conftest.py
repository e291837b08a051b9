import keras
import numpy as np
import pytest

from loupe_tf import masks, models, simulation


@pytest.fixture(autouse=True)
def quick(eager):
    """No graphs, but in one training of each regime and in long ones."""


@pytest.fixture(scope="session")
def scans():
    """Six measured scans of two coils: k-space, masks, maps; and images."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:16j, -1:1:18j]
    images = np.stack(
        [
            (np.hypot(x / a, y) < 0.8) * (1 + np.cos(9 * a * x + b))
            for a, b in rng.uniform(0.5, 1, (6, 2))
        ]
    )[..., None].astype("float32")
    maps = simulation.birdcage_maps((16, 18), 2)
    full, maps, truth = simulation.simulate_kspace(images, maps, seed=0)
    mask = np.stack(
        [masks.uniform_random((16, 18), 2, 4, seed=i).array for i in range(6)]
    )[..., None].astype("float32")
    kspace = np.where(mask[:, None] > 0, full, 0)
    return [kspace, mask, np.array(maps)], truth


@pytest.fixture
def network():
    """A reconstructor of few parameters, whose network begins at zero."""
    keras.utils.set_random_seed(0)
    cnn = models.cnn((None, None, 2), 2, filters=4, depth=2, normalization=None)
    return models.VarNet(cnn, iterations=1)
