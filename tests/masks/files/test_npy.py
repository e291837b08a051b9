import numpy as np
import pytest

from loupe_tf.formats import load_mask
from loupe_tf.masks import SamplingMask


def test_npy(tmp_path):
    path = tmp_path / "mask.npy"
    np.save(path, np.array([[0.0, 1.0]]))
    assert load_mask(path) == SamplingMask([[0, 1]])
    for array in ([[0.5, 1]], [0, 1], [["a"]]):
        np.save(path, np.array(array))
        with pytest.raises(ValueError, match="mask.npy.*Expected"):
            load_mask(path)
