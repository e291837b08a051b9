import warnings

import numpy as np
import pytest

from loupe_tf.formats import load_trajectory, save_trajectory
from loupe_tf.trajectories import radial, spiral

SIZES = {"matrix": (16, 20), "field_of_view": (160, 240)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.bin"


@pytest.fixture
def trajectory():
    return spiral(3, 50, turns=2, dwell=1e-5, **SIZES)


def test_numbers(path, trajectory):
    """The table of the format's specification."""
    trajectory.save(path)
    found = np.fromfile(path, "<f4")
    assert len(found) == 23 + 3 * 2 + 3 * 49 * 2
    header = [4.2, 2, 0.16, 0.24, 16, 20]
    np.testing.assert_allclose(found[:6], header, rtol=1e-6)
    oversampling, larmor, shots, steps, echo, largest = found[6:12]
    # The last step of a spiral is longest: about its arc, in cycles per FOV.
    assert oversampling == np.ceil(2 * np.pi * 2 * 0.5 * 20 / 50) == 3
    assert larmor == pytest.approx(42.577478518e6)
    assert (shots, steps, echo) == (3, 49, 0)  # From DC outwards.
    gradients = trajectory.gradients()
    assert largest == pytest.approx(np.abs(gradients).max())
    assert not found[12:29].any()
    np.testing.assert_allclose(
        found[29:].reshape(3, 49, 2) * largest, gradients, atol=1e-4
    )


@pytest.mark.parametrize("matrix", [(48, 48), (47, 63), (320, 320)])
@pytest.mark.parametrize("view", [(220, 220), (199, 317), (230.5, 211.3)])
def test_samples_at_the_edge_stay_there(path, matrix, view):
    """Spokes begin at -1/2; beyond it, they would come back at 1/2."""
    spokes = radial(8, 200, matrix=matrix, field_of_view=view, dwell=1e-5)
    spokes.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_trajectory(path).positions
    expected = spokes.positions[:, : found.shape[1]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_positions_in_between(path, trajectory):
    trajectory.save(path)
    found = load_trajectory(path, dwell=5e-6)
    assert found.dwell == 5e-6 and found.samples == 99
    np.testing.assert_allclose(
        found.positions[:, ::2], trajectory.positions, atol=1e-6
    )
    middle = (trajectory.positions[:, 1:] + trajectory.positions[:, :-1]) / 2
    np.testing.assert_allclose(found.positions[:, 1::2], middle, atol=1e-6)


def test_raster(path, trajectory):
    other = trajectory.replace(dwell=4e-6)
    with pytest.raises(ValueError, match="raster=1e-05.*dwell=4e-06"):
        other.save(path)
    save_trajectory(other, path, raster=4e-6)
    found = load_trajectory(path, raster=4e-6)
    np.testing.assert_allclose(found.positions, other.positions, atol=1e-6)
    with pytest.raises(ValueError, match="at least 2 samples"):
        radial(3, 1, dwell=1e-5, **SIZES).save(path)


@pytest.mark.parametrize("version", [4.1, 5.0, 5.1])
def test_other_versions(path, trajectory, version):
    trajectory.save(path)
    numbers = np.fromfile(path, "<f4")
    numbers[0] = version
    if version >= 5:
        numbers = np.insert(numbers, 29, np.zeros(6))  # The ends of shots.
    expected = trajectory.positions
    if version > 5:
        numbers[14:16] = 3, 2
        expected = expected[:, 3:-2]
    numbers.astype("<f4").tofile(path)
    found = load_trajectory(path).positions
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "place, value, match",
    [
        (0, 3.0, "version is 3"),
        (1, 4, "dimension is 4"),
        (2, 0, "not positive"),
        (4, 16.5, "matrix size is 16.5"),
        (8, 4, "not at least"),
        (8, 2, "too many"),
        (9, np.nan, "ValueError"),
        (9, 1e9, "number of samples"),
        (11, np.nan, "finite"),
    ],
)
def test_bad_files(path, trajectory, place, value, match):
    trajectory.save(path)
    numbers = np.fromfile(path, "<f4")
    numbers[place] = value
    numbers.tofile(path)
    with pytest.raises(ValueError, match=f"a.bin.*{match}"):
        load_trajectory(path)


def test_lengths(path):
    for content in (b"", b"12345"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"a.bin.*{len(content)} bytes"):
            load_trajectory(path)
