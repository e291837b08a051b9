import numpy as np
import pytest

from loupe_tf.datasets.voxel_size import common_voxel_size, standardize


@pytest.mark.parametrize(
    "spacing, expected",
    [
        (None, (0, 0, 0)),
        ((3, 0.5, 0.7), (3, 0.5, 0.7)),
        ((None, 1, 2), (0, 1, 2)),
        ((np.nan, np.inf, -1), (0, 0, 0)),
    ],
)
def test_what_is_not_known_is_0(spacing, expected):
    found = standardize(spacing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected)


def test_one_voxel_size():
    sizes = [(3, 0.719, 0.719), (3.3, 0.720, 0.718), (3, 0.718, 0.719)]
    assert common_voxel_size(sizes) == (None, 0.719, 0.719)
    assert common_voxel_size(sizes[::2]) == (3, 0.7185, 0.719)
    mixed = common_voxel_size([(3, 0.719, 1), (3, 0.573, 1)])
    assert mixed == (3, None, 1)
    unknown = common_voxel_size([(0, 1, 1), (3, 1, 1)])
    assert unknown == (None, 1, 1)
    assert common_voxel_size(np.zeros((0, 3))) == (None, None, None)
