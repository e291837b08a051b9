"""A model that measures along curves."""

import keras
import numpy as np
import pytest

from loupe_tf import layers, models, trajectories
from loupe_tf.numpy_fourier import nudft
from loupe_tf.samplers import (
    GivenTrajectory,
    LearnedTrajectory,
    TrajectoryInput,
)

SIZE = (8, 9)
SPOKES = trajectories.radial(
    shots=3, samples=12, matrix=SIZE, field_of_view=(80, 90)
)


def measured(model, inputs):
    """The exact samples, and those that the model measures."""
    samples = keras.Model(model.inputs, model.measured[0])(inputs)
    return keras.ops.convert_to_numpy(samples) @ [1, 1j]


def test_model_measures_along_it(rng):
    """An image of one coil, and k-space of two."""
    x = rng.normal(size=(2, *SIZE, 1)).astype("float32")
    one = models.loupe_model(
        (*SIZE, 1), sampler=GivenTrajectory(SPOKES), filters=1, depth=1
    )
    assert one.settings["field_of_view"] == (80, 90)
    np.testing.assert_allclose(
        measured(one, x)[:, 0], nudft(x[..., 0], SPOKES.positions), atol=1e-4
    )
    assert one.reconstructor.curves.trajectory == SPOKES
    assert one(x).shape == x.shape
    two = models.loupe_model(
        (*SIZE, 2),
        sampler=GivenTrajectory(SPOKES),
        reconstructor="zero_filled",
        reconstruction="complex",
        coils=2,
    )
    coils = rng.normal(size=(2, 2, *SIZE, 2)).astype("float32")
    kspace = keras.ops.convert_to_numpy(layers.FFT()(coils))
    np.testing.assert_allclose(
        measured(two, [kspace, coils]),
        nudft(coils @ [1, 1j], SPOKES.positions),
        atol=1e-4,
    )
    assert two([kspace, coils]).shape == (2, *SIZE, 2)


def test_a_network_of_another_size_is_refused():
    network = models.cnn((None, None, 6), 4, filters=2, depth=1)
    other = models.NCPDNet(
        (8, 8), network, iterations=1, buffers=2, trajectory=SPOKES.positions
    )
    with pytest.raises(
        ValueError, match=r"`reconstructor`.*\(batch, 8, 9, 1\).*8, 8"
    ):
        models.loupe_model(
            (*SIZE, 2), sampler=GivenTrajectory(SPOKES), reconstructor=other
        )


def test_trajectory_as_an_input(rng):
    model = models.loupe_model(
        (*SIZE, 2),
        sampler=TrajectoryInput(3, 12),
        reconstructor="zero_filled",
        reconstruction="complex",
    )
    assert [each.name for each in model.inputs] == ["input", "positions"]
    x = rng.normal(size=(2, *SIZE, 2)).astype("float32")
    positions = rng.uniform(-0.5, 0.5, (2, 3, 12, 2)).astype("float32")
    expected = [nudft(*each) for each in zip(x @ [1, 1j], positions)]
    np.testing.assert_allclose(
        measured(model, [x, positions])[:, 0], expected, atol=1e-4
    )


@pytest.mark.parametrize("ratio", [{"snr": 10}, {"peak_snr": 10**0.5}])
def test_noise_is_that_of_a_cartesian_scan(rng, ratio):
    """Its power follows from the image or from one σ, not from the samples."""
    x = rng.normal(size=(40, *SIZE, 2)).astype("float32")
    model = models.loupe_model(
        (*SIZE, 2),
        sampler=GivenTrajectory(SPOKES.positions * 0.01),
        reconstructor="zero_filled",
        reconstruction="complex",
        **ratio,
        seed=0,
    )
    samples = keras.Model(model.inputs, model.measured[0])
    noise = samples(x, training=True) - samples(x, training=False)
    power = keras.ops.convert_to_numpy(noise).var()
    assert power == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(
    "argument, kwargs",
    [
        ("input_shape", {"input_shape": (4, *SIZE, 1)}),
        ("data_consistency", {"data_consistency": True}),
        ("acceleration", {"acceleration": 4}),
    ],
)
def test_invalid(argument, kwargs):
    kwargs = {"input_shape": (*SIZE, 1), **kwargs}
    with pytest.raises(ValueError, match=f"`{argument}`"):
        models.loupe_model(sampler=GivenTrajectory(SPOKES), **kwargs)


@pytest.mark.parametrize("make", [GivenTrajectory, LearnedTrajectory])
def test_trajectory_of_another_matrix(make):
    """Its positions would be other frequencies; without a matrix, none say."""
    other = SPOKES.replace(matrix=(9, 8))
    with pytest.raises(ValueError, match=r"(?s)`trajectory`.*\(8, 9\)"):
        models.loupe_model((*SIZE, 1), sampler=make(other), filters=1, depth=1)
    with pytest.raises(ValueError, match=r"(?s)`trajectory`.*\(8, 9\)"):
        models.NCPDNet(SIZE, trajectory=other)
    volume = trajectories.Trajectory(np.zeros((2, 9, 3)), matrix=(4, 8, 9))
    with pytest.raises(ValueError, match="(?s)2 axes.*3 axes"):
        models.loupe_model((*SIZE, 1), sampler=GivenTrajectory(volume))
    models.loupe_model(
        (*SIZE, 1),
        sampler=make(trajectories.Trajectory(SPOKES.positions)),
        filters=1,
        depth=1,
    )
