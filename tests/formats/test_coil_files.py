import h5py
import numpy as np
import pytest

from loupe_tf.formats import load_coils, write_cfl


@pytest.fixture
def kspace(rng):
    x = rng.normal(size=(4, 7, 6)) + 1j * rng.normal(size=(4, 7, 6))
    return x.astype("complex64")


def test_numpy(kspace, tmp_path):
    np.save(tmp_path / "scan.npy", kspace[None].astype("complex128"))
    found = load_coils(tmp_path / "scan.npy")
    assert found.dtype == np.complex64
    np.testing.assert_array_equal(found, kspace)


@pytest.mark.parametrize("suffix", [".cfl", ".hdr"])
def test_bart(kspace, tmp_path, suffix):
    write_cfl(tmp_path / "scan", np.moveaxis(kspace, 0, -1)[:, :, None])
    found = load_coils(tmp_path / f"scan{suffix}")
    np.testing.assert_array_equal(found, kspace)


def test_matlab(kspace, tmp_path):
    pair = np.zeros(kspace.shape, [("real", "f8"), ("imag", "f8")])
    pair["real"], pair["imag"] = kspace.real, kspace.imag
    with h5py.File(tmp_path / "scan.mat", "w") as file:
        file["raw"] = pair[:, None]
    found = load_coils(tmp_path / "scan.mat", "raw")
    np.testing.assert_array_equal(found, kspace)


@pytest.mark.parametrize("key", [None, "other", "group"])
def test_names_the_arrays_of_a_file(tmp_path, key):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = np.zeros((2, 4, 4), complex)
        file.create_group("group")
    match = r"`key`. Expected one of .*\['group', 'kspace'\]"
    with pytest.raises(ValueError, match=match):
        load_coils(tmp_path / "scan.h5", key)


def test_refuses_other_files(kspace, tmp_path):
    for wrong in (np.abs(kspace), kspace[0]):
        np.save(tmp_path / "image.npy", wrong)
        match = r"Expected complex k-space \(coils, H, W\)"
        with pytest.raises(ValueError, match=match):
            load_coils(tmp_path / "image.npy")
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="never unpickled"):
        load_coils(tmp_path / "object.npy")
    (tmp_path / "text.mat").write_text("no HDF5")
    with pytest.raises(ValueError, match="text.mat"):
        load_coils(tmp_path / "text.mat", "raw")
    with pytest.raises(FileNotFoundError):
        load_coils(tmp_path / "none.npy")
