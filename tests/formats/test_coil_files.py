import h5py
import numpy as np
import pytest

from loupe_tf.formats import load_coils, load_kspace, write_cfl


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


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_matlab(kspace, tmp_path, dtype):
    pair = np.zeros(kspace.shape, [("real", dtype), ("imag", dtype)])
    pair["real"], pair["imag"] = kspace.real, kspace.imag
    # 512 bytes of text come first.
    with h5py.File(tmp_path / "scan.mat", "w", userblock_size=512) as file:
        file["raw"] = pair[:, None]
        file["group/raw"] = pair
    for key in ("raw", "group/raw", "/raw"):
        found = load_coils(tmp_path / "scan.mat", key)
        assert found.dtype == np.complex64
        np.testing.assert_array_equal(found, kspace)


@pytest.mark.parametrize("name", ["scan.npy", "scan.cfl", "scan.h5"])
def test_agrees_with_load_kspace(kspace, tmp_path, name):
    """One slice is the same, of several coils and of one."""
    for array in (kspace, kspace[:1]):
        if name == "scan.npy":
            np.save(tmp_path / name, array)
        elif name == "scan.cfl":
            write_cfl(tmp_path / name, array.transpose(1, 2, 0)[:, :, None])
        else:
            with h5py.File(tmp_path / name, "w") as file:
                file["kspace"] = array[None]
        key = "kspace" if name == "scan.h5" else None
        leading = {"leading": "coils"} if name == "scan.npy" else {}
        with load_kspace(tmp_path / name, **leading) as volume:
            found = load_coils(tmp_path / name, key)
            np.testing.assert_array_equal(found, volume[0])
            np.testing.assert_array_equal(found, array)


def test_one_coil(kspace, tmp_path):
    np.save(tmp_path / "scan.npy", kspace[0])
    found = load_coils(tmp_path / "scan.npy")
    np.testing.assert_array_equal(found, kspace[:1])


@pytest.mark.parametrize("axis", [4, 10, 13])
def test_further_dimensions_of_bart_are_no_coils(tmp_path, axis):
    """Sets of maps, time frames and slices."""
    shape = [7, 6, 1, 4] + [1] * 12
    shape[axis] = 2
    write_cfl(tmp_path / "scan", np.ones(shape))
    with pytest.raises(ValueError, match=r"scan\.cfl.*Expected (one|k-space)"):
        load_coils(tmp_path / "scan.cfl")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_refuses_what_is_not_finite(kspace, tmp_path, bad):
    kspace = kspace.astype(complex)
    kspace[1, 2, 3] = bad
    np.save(tmp_path / "scan.npy", kspace)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["raw"] = kspace
    for name, key in (("scan.npy", None), ("scan.h5", "raw")):
        with pytest.raises(ValueError, match=f"{name}.*finite.*1 that are not"):
            load_coils(tmp_path / name, key)


def test_reads_no_other_file(kspace, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["raw"] = kspace
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["raw"] = h5py.ExternalLink(tmp_path / "other.h5", "raw")
        file["group"] = h5py.ExternalLink(tmp_path / "other.h5", "/")
        file["soft"] = h5py.SoftLink("/raw")
    for key in ("raw", "group/raw", "soft"):
        with pytest.raises(ValueError, match=r"scan\.h5.*a link to"):
            load_coils(tmp_path / "scan.h5", key)


def test_memory(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("raw", (8, 10**6, 10**6), "c8", chunks=True)
    with pytest.raises(ValueError, match=r"scan\.h5.*of memory"):
        load_coils(tmp_path / "scan.h5", "raw")


def test_key_of_a_file_that_is_one_array(kspace, tmp_path):
    np.save(tmp_path / "scan.npy", kspace)
    with pytest.raises(ValueError, match="`key`. Expected None"):
        load_coils(tmp_path / "scan.npy", "raw")


@pytest.mark.parametrize("key", [None, "", "other", "group", 1])
def test_names_the_arrays_of_a_file(tmp_path, key):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = np.zeros((2, 4, 4), complex)
        file.create_group("group")
    match = r"`key`. Expected one of .*\['group', 'kspace'\]"
    with pytest.raises(ValueError, match=match):
        load_coils(tmp_path / "scan.h5", key)


def test_refuses_other_files(kspace, tmp_path):
    for wrong in (np.abs(kspace), kspace[0, 0], kspace[None].repeat(2, 0)):
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
