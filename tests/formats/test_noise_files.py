import h5py
import numpy as np
import pytest

from loupe_tf.formats import BadFileError, load_kspace, load_noise, write_cfl
from loupe_tf.formats.noise_files import count_noise


@pytest.fixture
def noise(rng):
    return (rng.normal(size=(2, 50, 2)) @ [1, 1j]).astype("complex64")


def test_noise_acquisitions(scan_path, kspace, write_ismrmrd, read_kspace):
    ismrmrd = pytest.importorskip("ismrmrd")

    def change(acquisition):
        """The second repetition of the first slice is noise."""
        if acquisition.idx.repetition:
            acquisition.idx.repetition = 0
            acquisition.setFlag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
            return acquisition.idx.slice == 0

    write_ismrmrd(scan_path, kspace, change=change, repetitions=2)
    found = load_noise(scan_path)
    assert found.dtype == np.complex64
    # Lines after each other; `write_ismrmrd` doubles the second repetition.
    expected = 2 * kspace[0].swapaxes(1, 2).reshape(2, -1)
    np.testing.assert_array_equal(found, expected)
    assert count_noise(scan_path) == 7
    # It is no part of the image.
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    write_ismrmrd(scan_path, kspace)
    assert count_noise(scan_path) == 0
    with pytest.raises(BadFileError, match=r"scan.mrd.*NOISE.*none"):
        load_noise(scan_path)


def test_a_file_of_noise_alone(scan_path, kspace, write_ismrmrd):
    """As converters write it beside the scan."""
    ismrmrd = pytest.importorskip("ismrmrd")

    def change(acquisition):
        acquisition.setFlag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)

    write_ismrmrd(scan_path, kspace, change=change)
    assert load_noise(scan_path).shape == (2, 3 * 8 * 7)
    with pytest.raises(BadFileError, match="all are flagged"):
        load_kspace(scan_path)


def test_arrays(tmp_path, noise):
    np.save(tmp_path / "noise.npy", noise.reshape(2, 5, 10))
    np.testing.assert_array_equal(load_noise(tmp_path / "noise.npy"), noise)
    array = noise.T[:, None, None]  # (read-out, 1, 1, coils)
    write_cfl(tmp_path / "noise", array)
    np.testing.assert_array_equal(load_noise(tmp_path / "noise.cfl"), noise)
    assert count_noise(tmp_path / "noise.npy") == 0


@pytest.mark.parametrize("bad", ["real", "one", "nan"])
def test_refuses_other_arrays(tmp_path, noise, bad):
    noise[0, 3] = np.nan if bad == "nan" else 1
    array = {"real": noise.real, "one": noise[0], "nan": noise}[bad]
    np.save(tmp_path / "noise.npy", array)
    with pytest.raises(BadFileError, match=r"noise.npy"):
        load_noise(tmp_path / "noise.npy")


def test_refuses_other_files(tmp_path, noise):
    with pytest.raises(FileNotFoundError):
        load_noise(tmp_path / "none.mrd")
    write_cfl(tmp_path / "one", noise[0])
    with pytest.raises(BadFileError, match="several coils"):
        load_noise(tmp_path / "one.cfl")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kspace"] = noise
    assert count_noise(tmp_path / "other.h5") == 0
    with pytest.raises(BadFileError, match="ISMRM raw data"):
        load_noise(tmp_path / "other.h5")
