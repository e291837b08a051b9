import h5py
import numpy as np
import pytest

from loupe_tf import formats
from loupe_tf.datasets import write_fastmri_volume
from loupe_tf.formats.kspace_files import four_axes
from loupe_tf.numpy_fourier import fftc

SHAPE = (3, 2, 8, 7)  # (slices, coils, H, W)


@pytest.fixture
def kspace(rng):
    pair = rng.normal(size=(2, *SHAPE))
    return (pair[0] + 1j * pair[1]).astype(np.complex64)


def write_fastmri(path, kspace):
    write_fastmri_volume(
        path,
        slices=len(kspace),
        size=kspace.shape[-2:],
        recon_size=(4, 4),
        coils=2 if kspace.ndim == 4 else None,
    )
    with h5py.File(path, "a") as file:
        file["kspace"][...] = kspace


def write_bart(path, kspace):
    """Slices in dimension 13, coils in 3."""
    array = kspace.transpose(2, 3, 1, 0)
    shape = (*array.shape[:2], 1, array.shape[2], *[1] * 9, array.shape[3])
    formats.write_cfl(path, array.reshape(shape))


def test_all_formats_agree(kspace, tmp_path, write_ismrmrd, read_kspace):
    write_fastmri(tmp_path / "scan.h5", kspace)
    write_ismrmrd(tmp_path / "scan.mrd", kspace)
    # The content tells, not the suffix.
    write_ismrmrd(tmp_path / "scan_mrd.h5", kspace)
    write_bart(tmp_path / "scan.cfl", kspace)
    np.save(tmp_path / "scan.npy", kspace)
    for name in ("scan.h5", "scan.mrd", "scan_mrd.h5", "scan.cfl", "scan.npy"):
        np.testing.assert_array_equal(
            read_kspace(tmp_path / name), kspace, name
        )


def test_one_coil_and_one_slice(kspace, tmp_path, read_kspace):
    write_fastmri(tmp_path / "scan.h5", kspace[:, 0])
    np.testing.assert_array_equal(
        read_kspace(tmp_path / "scan.h5"), kspace[:, :1]
    )
    formats.write_cfl(tmp_path / "scan.cfl", kspace[0, 0])
    np.testing.assert_array_equal(
        read_kspace(tmp_path / "scan.cfl"), kspace[:1, :1]
    )
    np.save(tmp_path / "scan.npy", kspace[0])
    found = read_kspace(tmp_path / "scan.npy", leading="coils")
    np.testing.assert_array_equal(found, kspace[:1])
    np.save(tmp_path / "scan.npy", kspace[:, 0])
    found = read_kspace(tmp_path / "scan.npy", leading="slices")
    np.testing.assert_array_equal(found, kspace[:, :1])


def test_three_dimensions_of_bart(kspace, tmp_path, read_kspace):
    # Slices are the points of the read-out, the first of BART's dimensions.
    scan = fftc(kspace, axes=(0,)).transpose(0, 2, 3, 1)
    formats.write_cfl(tmp_path / "scan.cfl", scan)
    found = read_kspace(tmp_path / "scan.cfl")
    np.testing.assert_allclose(found, kspace, atol=1e-5)


def test_field_of_view_of_fastmri(kspace, tmp_path):
    write_fastmri(tmp_path / "scan.h5", kspace)
    with formats.load_kspace(tmp_path / "scan.h5") as volume:
        assert volume.field_of_view == (0.4375 * 8, 0.4375 * 7)
        assert volume.slice_spacing == 3
    with h5py.File(tmp_path / "scan.h5", "a") as file:
        text = file["ismrmrd_header"][()].replace(b"<z>3</z>", b"<z>0</z>")
        del file["ismrmrd_header"]
        file["ismrmrd_header"] = text
    with formats.load_kspace(tmp_path / "scan.h5") as volume:
        assert volume.field_of_view is volume.slice_spacing is None
    with h5py.File(tmp_path / "scan.h5", "a") as file:
        del file["ismrmrd_header"]
    with formats.load_kspace(tmp_path / "scan.h5") as volume:
        assert volume.field_of_view is None


def test_reads_one_slice_at_a_time(kspace, tmp_path, monkeypatch, read_kspace):
    write_fastmri(tmp_path / "scan.h5", kspace)
    seen = []
    original = h5py.Dataset.__getitem__

    def getitem(self, index, *args, **kwargs):
        found = original(self, index, *args, **kwargs)
        if self.name == "/kspace":
            seen.append(found.shape)
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", getitem)
    read_kspace(tmp_path / "scan.h5")
    assert seen == [SHAPE[1:]] * 3
    np.save(tmp_path / "scan.npy", kspace)
    with formats.load_kspace(tmp_path / "scan.npy") as volume:
        assert not volume[0].flags.owndata  # It stays in the file.


@pytest.mark.parametrize("name", ["scan.h5", "scan.npy", "scan.cfl"])
def test_names_a_truncated_file(kspace, tmp_path, name, read_kspace):
    path = tmp_path / name
    if name == "scan.h5":
        write_fastmri(path, kspace)
    elif name == "scan.npy":
        np.save(path, kspace)
    else:
        write_bart(path, kspace)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=name):
        read_kspace(path)


def test_names_a_sample_that_is_not_finite(kspace, tmp_path):
    kspace[1, 0, 2, 3] = np.nan
    np.save(tmp_path / "scan.npy", kspace)
    with formats.load_kspace(tmp_path / "scan.npy") as volume:
        volume[0]
        with pytest.raises(ValueError, match=r"scan\.npy.*finite.*slice 1"):
            volume[1]


def test_refuses_other_files(kspace, tmp_path):
    (tmp_path / "scan.dat").write_bytes(b"meas.dat")
    for load in (formats.load_kspace, formats.load_coils):
        with pytest.raises(ValueError, match="another kind.*siemens_to_ismrm"):
            load(tmp_path / "scan.dat")
    (tmp_path / "scan.mat").write_bytes(b"MATLAB 5.0 MAT-file, written by us")
    for load in (formats.load_kspace, formats.load_coils):
        with pytest.raises(ValueError, match=r"scan\.mat.*scipy\.io\.loadmat"):
            load(tmp_path / "scan.mat")
    with pytest.raises(FileNotFoundError):
        formats.load_kspace(tmp_path / "none.h5")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["image"] = np.ones((2, 2))
    with pytest.raises(ValueError, match=r"scan\.h5.*\['image'\].*load_coils"):
        formats.load_kspace(tmp_path / "scan.h5")
    np.save(tmp_path / "scan.npy", kspace.real)
    with pytest.raises(ValueError, match=r"scan\.npy.*complex k-space"):
        formats.load_kspace(tmp_path / "scan.npy")
    np.save(tmp_path / "scan.npy", kspace[0])
    with pytest.raises(ValueError, match=r"scan\.npy.*`leading`"):
        formats.load_kspace(tmp_path / "scan.npy")
    formats.write_cfl(tmp_path / "scan.cfl", np.ones((4, 4, 1, 2, 3)))
    with pytest.raises(ValueError, match=r"scan\.cfl.*\(4, 4, 1, 2, 3"):
        formats.load_kspace(tmp_path / "scan.cfl")
    with pytest.raises(ValueError, match="`leading`. .*'bart'"):
        formats.load_kspace(tmp_path / "scan.cfl", leading="coils")


def test_hdf5_behind_a_block_of_a_user(kspace, tmp_path, read_kspace):
    with h5py.File(tmp_path / "scan.h5", "w", userblock_size=512) as file:
        file["kspace"] = kspace
    np.testing.assert_array_equal(read_kspace(tmp_path / "scan.h5"), kspace)


def test_memory(kspace, tmp_path, monkeypatch, read_kspace):
    formats.write_cfl(tmp_path / "scan.cfl", np.ones((4, 4, 2, 8)))
    np.save(tmp_path / "scan.npy", kspace)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("kspace", (1, 2, 10**6, 10**6), "c8", chunks=True)
    # The limit is for what is in memory at once: a slice of 896 bytes.
    monkeypatch.setenv("LOUPE_TF_MEMORY_LIMIT", "900")
    np.testing.assert_array_equal(read_kspace(tmp_path / "scan.npy"), kspace)
    for name in ("scan.h5", "scan.cfl"):
        with pytest.raises(formats.BadFileError, match=f"{name}.*of memory"):
            formats.load_kspace(tmp_path / name)
    monkeypatch.setenv("LOUPE_TF_MEMORY_LIMIT", "800")
    with pytest.raises(formats.BadFileError, match=r"scan\.npy.*of memory"):
        formats.load_kspace(tmp_path / "scan.npy")


def test_numbers_that_single_precision_has_not(kspace, tmp_path):
    np.save(tmp_path / "scan.npy", kspace.astype(complex) * 1e200)
    with formats.load_kspace(tmp_path / "scan.npy") as volume:
        with pytest.raises(formats.BadFileError, match="112 that are not"):
            volume[0]


@pytest.mark.parametrize(
    "shape, leading, expected",
    [
        ((4, 5), None, (1, 1, 4, 5)),
        ((3, 4, 5), "coils", (1, 3, 4, 5)),
        ((3, 4, 5), "slices", (3, 1, 4, 5)),
        ((2, 3, 4, 5), None, (2, 3, 4, 5)),
    ],
)
def test_four_axes(shape, leading, expected):
    assert four_axes(shape, leading) == expected


@pytest.mark.parametrize(
    "shape, leading",
    [((3, 4, 5), None), ((4, 5), "coils"), ((2, 3, 4, 5), "slices")],
)
def test_four_axes_does_not_guess(shape, leading):
    with pytest.raises(ValueError, match="`leading`"):
        four_axes(shape, leading)


@pytest.mark.parametrize("shape", [(5,), (1, 2, 3, 4, 5), (0, 5)])
def test_four_axes_refuses_others(shape):
    with pytest.raises(ValueError, match="`kspace`"):
        four_axes(shape, None)
