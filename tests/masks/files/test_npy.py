import numpy as np
import pytest

from loupe_tf.formats import load_mask, save_mask
from loupe_tf.masks import SamplingMask


@pytest.mark.parametrize("name", ["mask.NPY", "mask.bin", "mask"])
def test_the_path_stays_as_given(tmp_path, name):
    mask = SamplingMask([[0, 1]])
    save_mask(mask, tmp_path / name, format="npy")
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert load_mask(tmp_path / name, format="npy") == mask


def test_npy(tmp_path):
    path = tmp_path / "mask.npy"
    np.save(path, np.array([[0.0, 1.0]]))
    assert load_mask(path) == SamplingMask([[0, 1]])
    for array in ([[0.5, 1]], [0, 1], [["a"]]):
        np.save(path, np.array(array))
        with pytest.raises(ValueError, match="mask.npy.*Expected"):
            load_mask(path)
