import h5py
import numpy as np
import pytest

from loupe_tf.formats import load_trajectory, save_mask, save_trajectory
from loupe_tf.masks import SamplingMask
from loupe_tf.trajectories import Trajectory, radial

ismrmrd = pytest.importorskip("ismrmrd")
pytest.importorskip("ismrmrd.xsd")

SIZES = {"matrix": (16, 20), "field_of_view": (160, 240)}


def change(path, acquisition=None, header=None):
    """Write a file again, as another program might have."""
    with ismrmrd.File(str(path)) as file:
        found = file["dataset"].acquisitions[:]
        text = file["dataset"].header
        text.userParameters = None
        if header:
            header(text)
        for one in found:
            if acquisition:
                acquisition(one)
        file["dataset"].header = text
        file["dataset"].acquisitions = found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.mrd"


def test_acquisitions(path):
    spokes = radial(3, 8, golden=True, dwell=4e-6, **SIZES)
    save_trajectory(spokes, path, slice_thickness=3)
    with ismrmrd.File(str(path), "r") as file:
        (encoding,) = file["dataset"].header.encoding
        found = file["dataset"].acquisitions[:]
    size, mm = (
        encoding.encodedSpace.matrixSize,
        encoding.encodedSpace.fieldOfView_mm,
    )
    assert (size.x, size.y, size.z) == (20, 16, 1)
    assert (mm.x, mm.y, mm.z) == (240, 160, 3)
    assert encoding.trajectory.value == "goldenangle"
    assert [a.idx.kspace_encode_step_1 for a in found] == [0, 1, 2]
    assert all(a.center_sample == 4 for a in found)
    assert all(a.sample_time_us == np.float32(4) for a in found)
    for one, positions in zip(found, spokes.positions):
        expected = positions[:, ::-1].astype("float32")
        np.testing.assert_array_equal(one.traj, expected)
        assert not one.data.any()


def test_files_of_others(path):
    spokes = radial(3, 8, dwell=4e-6, **SIZES)
    spokes.save(path)
    change(path)
    found = load_trajectory(path)
    np.testing.assert_allclose(found.positions, spokes.positions, atol=1e-7)
    assert found.metadata == spokes.replace(provenance=None).metadata
    smaller = load_trajectory(path, matrix=(8, 8))
    assert smaller.voxel_size == found.voxel_size

    def scale(acquisition):
        acquisition.traj[:] *= 20, 16

    change(path, scale)
    found = load_trajectory(path, unit="cycles/fov")
    np.testing.assert_allclose(found.positions, spokes.positions, atol=1e-6)


def test_discarded_samples_slices_and_weights(path, rng):
    """What a measurement of two slices may have."""
    spokes = radial(4, 8, **SIZES)
    spokes.save(path)

    def measured(acquisition):
        shot = acquisition.idx.kspace_encode_step_1
        positions = acquisition.traj.copy()
        acquisition.resize(8, 1, trajectory_dimensions=3)
        acquisition.traj[:] = np.c_[positions, rng.uniform(size=8)]
        acquisition.discard_pre, acquisition.discard_post = 2, 1
        acquisition.idx.slice = shot // 2

    change(path, measured)
    found = load_trajectory(path).positions
    expected = spokes.positions[:2, 2:7]
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize(
    "name, value, match",
    [
        ("traj", 7, "same number_of_samples.*7, 8"),
        ("discard_pre", 2, r"same discard_pre.*\[0, 2\]"),
        ("none", 0, r"trajectory of 2 or 3 axes.*\[0\]"),
        ("all", 8, "not discarded.*discard_pre=8"),
    ],
)
def test_bad_files(path, name, value, match):
    radial(3, 8, **SIZES).save(path)

    def damage(one):
        if name == "none":
            one.resize(8, 1, trajectory_dimensions=0)
        elif name == "all":
            one.discard_pre = value
        elif one.idx.kspace_encode_step_1 == 2:
            if name == "traj":
                one.resize(value, 1, trajectory_dimensions=2)
            else:
                one.discard_pre = value

    change(path, damage)
    with pytest.raises(ValueError, match=f"a.mrd.*{match}"):
        load_trajectory(path)


def test_only_trajectories_are_overwritten(path):
    spokes = radial(3, 8, **SIZES)
    with h5py.File(path, "w") as file:
        file["kspace"] = np.zeros(3)
    with pytest.raises(ValueError, match="`path`.*only a trajectory.*kspace"):
        spokes.save(path)
    path.unlink()
    save_mask(SamplingMask(np.eye(3), field_of_view=(9, 9)), path)
    with pytest.raises(ValueError, match="`path`.*only a trajectory"):
        spokes.save(path)
    with pytest.raises(ValueError, match=r"2 or 3 axes.*\[0\]"):
        load_trajectory(path)


def test_one_slice_of_a_volume(path):
    volume = Trajectory(
        [[[0.0, 0.25, -0.25]]], matrix=(1, 8, 8), field_of_view=(5, 80, 80)
    )
    volume.save(path)
    assert load_trajectory(path) == volume
