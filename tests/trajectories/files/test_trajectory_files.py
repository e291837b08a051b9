"""Round trips in every format, of two and three axes."""

import numpy as np
import pytest

from loupe_tf.formats import load_trajectory, save_trajectory
from loupe_tf.trajectories import Trajectory, rosette, spiral
from loupe_tf.trajectories.files.trajectory_files import (
    FORMATS,
    formats_by_suffix,
)

SUFFIXES = formats_by_suffix()
NEEDS = {".mrd": "ismrmrd", ".h5": "ismrmrd"}
# The others have single precision.
EXACT = (".npz", ".csv")
# The others hold no provenance.
WHOLE = (*EXACT, ".cfl", ".hdr", ".mrd", ".h5")


def trajectories():
    rng = np.random.default_rng(0)
    volume = {
        "matrix": (12, 16, 17),
        "field_of_view": (120.5, 220, 240),
        "dwell": 1e-5,
        "provenance": {"pattern": "random", "seed": 0, "what": "½ # \n more"},
    }
    plane = volume | {"matrix": (16, 17), "field_of_view": (220, 240)}
    plane.pop("provenance")
    return [
        Trajectory(rng.uniform(-0.5, 0.5, (3, 5, 3)), **volume),
        Trajectory(rng.uniform(-0.5, 0.5, (3, 5, 2)), **plane),
        Trajectory(rng.uniform(-0.5, 0.5, (1, 2, 2)), **plane),
        spiral(2, 30, turns=3.5, direction="in", **plane),
        rosette(2, 401, petals=4, **plane),  # Its positions nearly reach 1/2.
    ]


@pytest.mark.filterwarnings("error")
# No hardware can run these as Pulseq: tests/trajectories/files/test_pulseq.py.
@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".seq"])
@pytest.mark.parametrize("trajectory", trajectories(), ids=repr)
def test_round_trip(tmp_path, suffix, trajectory):
    pytest.importorskip(NEEDS.get(suffix, "numpy"))
    path = tmp_path / f"trajectory{suffix}"
    trajectory.save(path)
    found = Trajectory.load(path)
    tolerance = 0 if suffix in EXACT else 2e-6
    np.testing.assert_allclose(
        found.positions, trajectory.positions, rtol=0, atol=tolerance
    )
    if suffix in EXACT:
        assert found == trajectory
    if suffix in WHOLE:
        assert found.metadata == trajectory.metadata
    else:
        names = "matrix", "field_of_view", "dwell"
        for name in names:
            assert getattr(found, name) == getattr(trajectory, name)


def test_every_suffix_has_one_format():
    assert set(SUFFIXES.values()) == set(FORMATS)
    assert len(SUFFIXES) == sum(len(f.suffixes) for f in FORMATS.values())


def test_options(tmp_path):
    trajectory = trajectories()[1]
    with pytest.raises(ValueError, match=r"`path`.*\.npz.*or a `format`"):
        save_trajectory(trajectory, tmp_path / "a.txt")
    save_trajectory(trajectory, tmp_path / "a.txt", format="csv")
    assert load_trajectory(tmp_path / "a.txt", "csv") == trajectory
    with pytest.raises(ValueError, match="`raster`. .*'csv', .*`unit`"):
        save_trajectory(trajectory, tmp_path / "a.csv", raster=1)
    with pytest.raises(ValueError, match="`matrix`. .*'npz', .* no options"):
        load_trajectory(tmp_path / "a.npz", matrix=(3, 3))


@pytest.mark.parametrize(
    "suffix, missing",
    [
        (".cfl", "matrix"),
        (".mrd", "matrix"),
        (".mrd", "field_of_view"),
        (".bin", "matrix"),
        (".bin", "field_of_view"),
        (".bin", "dwell"),
    ],
)
def test_what_a_format_needs(tmp_path, suffix, missing):
    pytest.importorskip(NEEDS.get(suffix, "numpy"))
    trajectory = trajectories()[1]
    path = tmp_path / f"a{suffix}"
    known = getattr(trajectory, missing)
    bare = trajectory.replace(**{missing: None})
    with pytest.raises(ValueError, match=rf"`{missing}`.*, for .*=None"):
        bare.save(path)
    assert not path.exists()
    if missing != "dwell":
        save_trajectory(bare, path, **{missing: known})
        assert getattr(load_trajectory(path), missing) == known


def unchecked(monkeypatch, trajectory, positions):
    """Let a trajectory have positions that the class refuses."""
    monkeypatch.setattr(trajectory, "positions", positions)
    monkeypatch.setattr(trajectory, "replace", lambda **changes: trajectory)


@pytest.mark.parametrize("suffix", [".csv", ".cfl", ".mrd", ".bin"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_positions_that_are_not_finite(tmp_path, monkeypatch, suffix, value):
    pytest.importorskip(NEEDS.get(suffix, "numpy"))
    trajectory = trajectories()[1]
    positions = trajectory.positions.copy()
    positions[2, 0, 1] = value
    unchecked(monkeypatch, trajectory, positions)
    path = tmp_path / f"a{suffix}"
    with np.errstate(invalid="ignore"):
        if suffix == ".bin":
            trajectory = trajectories()[1]
            trajectory.save(path)
            numbers = np.fromfile(path, "<f4")
            numbers[-1] = value
            numbers.tofile(path)
        else:
            trajectory.save(path)
        with pytest.raises(ValueError, match=rf"a{suffix}.*finite.*shot 2"):
            Trajectory.load(path)


@pytest.mark.parametrize("suffix", [".csv", ".cfl", ".mrd"])
def test_positions_outside(tmp_path, monkeypatch, suffix):
    pytest.importorskip(NEEDS.get(suffix, "numpy"))
    trajectory = trajectories()[1]
    expected = trajectory.positions
    moved = expected.copy()
    moved[1, 2] += 1, -2
    unchecked(monkeypatch, trajectory, moved)
    trajectory.save(tmp_path / f"a{suffix}")
    with pytest.warns(UserWarning, match="1 samples lie outside"):
        found = Trajectory.load(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(found.positions, expected, rtol=0, atol=1e-6)
