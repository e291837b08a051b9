import keras
import numpy as np
import pytest
from keras import ops

from experiments.curve_methods import classical, rebuild_classically
from experiments.fitted_adjoint import FittedAdjoint
from loupe_tf import models, samplers, trajectories


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="scripts run on TensorFlow"
)
def test_is_the_compensated_adjoint(rng):
    """As a part of a model, with interpolation in place of the exact sum."""
    spokes = trajectories.radial(6, 24, matrix=(12, 14))
    model = models.loupe_model(
        (12, 14, 2),
        sampler=samplers.GivenTrajectory(spokes),
        reconstructor=FittedAdjoint((12, 14), accuracy=1e-5),
    )
    assert model.count_params() == 0
    images = rng.normal(size=(3, 12, 14, 2)).astype("float32")
    found = np.linalg.norm(ops.convert_to_numpy(model(images)), axis=-1)
    expected = rebuild_classically(classical("adjoint"), images, spokes)
    error = np.abs(found - expected[..., 0]).max()
    assert error < 1e-3 * expected.max()
    config = FittedAdjoint((12, 14), "differentiable", 1e-2).get_config()
    assert FittedAdjoint.from_config(config).get_config() == config
