import warnings

import numpy as np
import pytest

from loupe_tf.trajectories import Trajectory, spiral


@pytest.fixture
def positions(rng):
    return rng.uniform(-0.5, 0.5, (3, 7, 2))


@pytest.fixture
def full(positions):
    return Trajectory(
        positions,
        matrix=(32, 36),
        field_of_view=(220, 240.5),
        dwell=4e-6,
        provenance={"pattern": "random", "seed": 0},
    )


def test_attributes(full, positions):
    assert (full.shots, full.samples, full.axes) == (3, 7, 2)
    assert full.positions.dtype == np.float64
    np.testing.assert_array_equal(full.positions, positions)
    assert full.voxel_size == (220 / 32, 240.5 / 36)
    assert "pattern=random" in repr(full)
    with pytest.raises(ValueError, match="read-only"):
        full.positions[0] = 0
    positions[0] = 0  # The trajectory has a copy.
    assert full.positions[0].any()


@pytest.mark.parametrize("axes", [2, 3])
def test_save_and_load(tmp_path, rng, full, axes):
    path = tmp_path / "no.suffix"
    bare = Trajectory(rng.uniform(-0.5, 0.5, (2, 3, axes)))
    for trajectory in (full, bare):
        trajectory.save(path)
        assert Trajectory.load(path) == trajectory
    assert bare != full and full != 3


def test_files_that_are_no_trajectory(tmp_path, full):
    path = tmp_path / "trajectory.npz"
    np.savez(path, mask=np.eye(3))
    with pytest.raises(ValueError, match=r"trajectory.npz.*Trajectory.save"):
        Trajectory.load(path)
    np.savez(path, positions=full.positions, metadata='{"version": 7}')
    with pytest.raises(ValueError, match="version"):
        Trajectory.load(path)
    array = np.array([None])
    np.savez(path, positions=array, metadata="{}")
    with pytest.raises(ValueError, match="never unpickled"):
        Trajectory.load(path)
    with pytest.raises(FileNotFoundError):
        Trajectory.load(tmp_path / "other.npz")


def test_positions_outside_are_wrapped_with_a_warning(positions):
    moved = positions.copy()
    moved[0, 0, 0] += 1
    moved[1, 2] -= 3
    with pytest.warns(UserWarning, match="2 samples lie outside"):
        found = Trajectory(moved).positions
    np.testing.assert_allclose(found, positions, atol=1e-12)
    with pytest.warns(UserWarning, match="up to 0.5;"):
        edge = Trajectory([[[0.5, -0.5], [0.0, -0.5 - 1e-17]]]).positions
    assert edge.min() == -0.5 and edge.max() == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Trajectory(positions)


def test_gradients(full):
    """A readout of 10 mT/m of constant gradient moves by γ G t."""
    time = 4e-6 * np.arange(5)
    cycles = 42.577478518e6 * 0.01 * time  # Per metre.
    positions = np.stack([cycles * 0.22 / 32, 0 * cycles], -1)[None]
    readout = Trajectory(
        positions, matrix=(32, 32), field_of_view=(220, 220), dwell=4e-6
    )
    expected = np.broadcast_to([10, 0], (1, 4, 2))
    np.testing.assert_allclose(readout.gradients(), expected, atol=1e-9)
    assert full.gradients().shape == (3, 6, 2)


@pytest.mark.parametrize("name", ["dwell", "matrix", "field_of_view"])
def test_gradients_need_units(name):
    known = {"dwell": 4e-6, "matrix": (8, 8), "field_of_view": (220, 220)}
    known.pop(name)
    with pytest.raises(ValueError, match=f"`{name}`.*gradients in mT/m"):
        spiral(2, 5, turns=1, **known).gradients()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"positions": np.zeros((3, 2))}, r"positions.*\(shots, samples, 2\)"),
        ({"positions": np.zeros((1, 3, 4))}, "positions"),
        ({"positions": np.zeros((0, 3, 2))}, "positions"),
        ({"positions": [[[0, 0]], [[np.nan, 0]]]}, "positions.*shot 1"),
        ({"matrix": (8, 8, 8)}, "matrix.*each of 2 axes"),
        ({"matrix": 8}, "matrix.*each of 2 axes"),
        ({"matrix": (8, 0)}, "matrix.*at least 1"),
        ({"field_of_view": (8, -1)}, "field_of_view.*above 0"),
        ({"dwell": 0}, "dwell.*above 0"),
        ({"provenance": {"a": object()}}, "provenance.*JSON"),
        ({"provenance": 3}, "provenance.*JSON"),
    ],
)
def test_arguments(change, message):
    arguments = {"positions": np.zeros((1, 3, 2))}
    with pytest.raises(ValueError, match=message):
        Trajectory(**{**arguments, **change})
