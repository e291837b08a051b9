import numpy as np
import pytest

from loupe_tf.formats import load_trajectory, read_cfl, write_cfl
from loupe_tf.trajectories import Trajectory


def test_dimensions_unit_and_axes(tmp_path):
    path = tmp_path / "a.cfl"
    positions = np.zeros((2, 3, 2))
    positions[1, 2] = 0.25, -0.5
    Trajectory(positions, matrix=(8, 20)).save(path)
    array = read_cfl(path)
    assert array.shape == (3, 3, 2)
    assert array[:, 2, 1].tolist() == [2, -10, 0]
    volume = Trajectory([[[0.25, 0.125, -0.25]]], matrix=(4, 8, 16))
    volume.save(path)
    assert read_cfl(path).ravel().tolist() == [1, 1, -4]


def test_files_of_bart(tmp_path, rng):
    path = tmp_path / "a.cfl"
    array = rng.uniform(-4, 4, (3, 5, 2))
    array[2] = 0
    write_cfl(path, array)
    with pytest.raises(ValueError, match="`matrix`.*cycles/fov of .*a.cfl"):
        load_trajectory(path)
    found = load_trajectory(path, matrix=(8, 16))
    assert (found.axes, found.matrix) == (2, (8, 16))
    expected = np.moveaxis(array, 0, -1)[..., :2].swapaxes(0, 1) / (8, 16)
    np.testing.assert_allclose(found.positions, expected, atol=1e-6)
    assert load_trajectory(path, matrix=(8, 16, 8)).axes == 3
    with pytest.raises(ValueError, match="`matrix`.*each of 2 axes"):
        load_trajectory(path, matrix=16)
    write_cfl(path, array[:, :, :1])
    assert load_trajectory(path, matrix=(8, 8)).positions.shape == (1, 5, 2)


@pytest.mark.parametrize(
    "array, match",
    [
        (np.zeros((2, 4, 3)), r"dimensions are \(2, 4, 3\)"),
        (np.zeros((3, 4, 3, 2)), r"dimensions are \(3, 4, 3, 2\)"),
        (np.full((3, 4, 3), 1j), "complex"),
        (np.full((3, 4, 3), np.nan), "finite"),
    ],
)
def test_bad_files(tmp_path, array, match):
    write_cfl(tmp_path / "a.cfl", array)
    with pytest.raises(ValueError, match=f"a.cfl.*{match}"):
        load_trajectory(tmp_path / "a.cfl", matrix=(8, 8, 8))
