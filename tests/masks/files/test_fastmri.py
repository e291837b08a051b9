import h5py
import numpy as np
import pytest

from loupe_tf.formats import load_mask, save_mask
from loupe_tf.masks import random_lines


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
    with pytest.raises(ValueError, match="holds only a mask.*kspace"):
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
