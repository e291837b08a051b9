import h5py
import numpy as np
import pytest

from loupe_tf.formats import load_mask, read_cfl, save_mask, write_cfl
from loupe_tf.masks import SamplingMask, gaussian, random_lines


def test_npy(tmp_path):
    path = tmp_path / "mask.npy"
    np.save(path, np.array([[0.0, 1.0]]))
    assert load_mask(path) == SamplingMask([[0, 1]])
    for array in ([[0.5, 1]], [0, 1], [["a"]]):
        np.save(path, np.array(array))
        with pytest.raises(ValueError, match="mask.npy.*Expected"):
            load_mask(path)


@pytest.mark.parametrize("lines", ["columns", "rows", None])
def test_pattern_of_bart(tmp_path, lines):
    mask = gaussian((9, 12), 3, 3)
    if lines:
        mask = random_lines((9, 12), 3, 3, lines=lines)
    save_mask(mask, tmp_path / "mask.cfl")
    pattern = read_cfl(tmp_path / "mask")
    assert pattern.dtype == np.complex64
    np.testing.assert_array_equal(pattern, np.broadcast_to(mask.array, (9, 12)))
    # A pattern of others, without our section.
    write_cfl(tmp_path / "other", pattern[:, :, None, None])
    found = load_mask(tmp_path / "other.cfl")
    np.testing.assert_array_equal(found.array, mask.array)
    assert found.matrix == (9, 12) and found.lines == lines


def test_pattern_that_is_none(tmp_path):
    path = tmp_path / "mask.cfl"
    for array in (np.full((4, 5), 0.5), np.full((4, 5), 1j)):
        write_cfl(path, array)
        with pytest.raises(
            ValueError, match="mask.cfl. Expected a pattern of 0"
        ):
            load_mask(path)
    write_cfl(path, np.ones((4, 5, 2)))
    with pytest.raises(ValueError, match=r"mask.cfl. Expected.*\(4, 5, 2\)"):
        load_mask(path)


def test_pattern_that_contradicts_its_header(tmp_path):
    path = tmp_path / "mask.cfl"
    mask = random_lines((9, 12), 3, 3)
    save_mask(mask, path)
    header = (tmp_path / "mask.hdr").read_text()
    pattern = np.broadcast_to(mask.array, (9, 12)).copy()
    pattern[3] = ~pattern[3]
    write_cfl(path, pattern)
    (tmp_path / "mask.hdr").write_text(header)
    with pytest.raises(ValueError, match="Expected columns, all lines alike"):
        load_mask(path)
    (tmp_path / "mask.hdr").write_text(header.replace("9 12", "12 9"))
    with pytest.raises(ValueError, match="mask.cfl"):
        load_mask(path)
    (tmp_path / "mask.hdr").write_text(header.replace("9 12", "9 13"))
    with pytest.raises(ValueError, match="Expected 936 bytes"):
        load_mask(path)


def test_fastmri(tmp_path):
    path = tmp_path / "mask.h5"
    mask = random_lines((9, 12), 3, 3)
    save_mask(mask, path)
    with h5py.File(path) as file:
        assert file["mask"].shape == (12,) and file["mask"].dtype == bool
        np.testing.assert_array_equal(file["mask"], mask.array[0])


def test_file_of_fastmri(tmp_path):
    from loupe_tf.datasets import write_fastmri_dataset

    write_fastmri_dataset(
        tmp_path,
        {"singlecoil_test": 1},
        slices=1,
        size=(20, 24),
        recon_size=(16, 16),
    )
    (path,) = tmp_path.glob("singlecoil_test/*.h5")
    mask = load_mask(path)
    assert mask.lines == "columns" and mask.matrix == (20, 24)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(mask.array[0], file["mask"])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="holds a mask alone.*kspace"):
        save_mask(mask, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("array", [[[0, 1]], [0.5, 1], 1])
def test_fastmri_with_another_mask(tmp_path, array):
    path = tmp_path / "mask.h5"
    with h5py.File(path, "w") as file:
        file["mask"] = array
    with pytest.raises(ValueError, match="mask.h5.*cannot be read"):
        load_mask(path)


def test_hdf5_without_a_mask(tmp_path):
    path = tmp_path / "mask.h5"
    with h5py.File(path, "w") as file:
        file["kspace"] = [1]
    with pytest.raises(ValueError, match="Expected a data set `mask`.*kspace"):
        load_mask(path)


def links_to(path, other, name):
    """Puts a link to another file in the place of a data set."""
    with h5py.File(path, "r+") as file, h5py.File(other, "w") as outside:
        for key in file:
            file.copy(key, outside)
        del file[name]
        file[name] = h5py.ExternalLink(other, name)


def test_masks_read_no_other_file(tmp_path):
    path, other = tmp_path / "mask.h5", tmp_path / "other.h5"
    for name in ("mask", "mask_metadata"):
        save_mask(random_lines((9, 12), 3, 3), path)
        links_to(path, other, name)
        with pytest.raises(ValueError, match=f"{name} in the file itself"):
            load_mask(path)


def test_masks_in_damaged_hdf5(tmp_path):
    path = tmp_path / "mask.h5"
    save_mask(random_lines((9, 12), 3, 3), path)
    path.write_bytes(path.read_bytes().replace(b"SNOD", b"XXXX"))
    for format in (None, "fastmri", "ismrmrd"):
        with pytest.raises(ValueError, match="mask.h5"):
            load_mask(path, format=format)


def test_mask_behind_a_block_of_a_user(tmp_path):
    path = tmp_path / "mask.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["mask"] = [0, 1, 1, 0]
    assert load_mask(path).array.tolist() == [[False, True, True, False]]
