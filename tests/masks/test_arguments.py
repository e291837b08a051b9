import math

import numpy as np
import pytest

from loupe_tf.masks import SamplingMask


@pytest.mark.parametrize(
    "array",
    [np.zeros(4), np.zeros((1, 4, 4, 1)), np.zeros((0, 4)), True],
)
def test_refuses_shape(array):
    with pytest.raises(ValueError, match="`array`. Expected shape"):
        SamplingMask(array)


@pytest.mark.parametrize(
    "array", [[[0.5, 1]], [[2, 1]], [[np.nan, 1]], [["0", "1"]], [[0j, 1]]]
)
def test_refuses_values(array):
    with pytest.raises(
        ValueError, match="`array`. Expected booleans, or only 0"
    ):
        SamplingMask(array)


@pytest.mark.parametrize("provenance", [[1], "x", 3])
def test_refuses_provenance_that_is_no_dictionary(provenance):
    with pytest.raises(ValueError, match="`provenance`. Expected a dictionary"):
        SamplingMask(np.eye(4), provenance=provenance)


@pytest.mark.parametrize("value", [np.zeros(2), {1}, math.nan, object()])
def test_refuses_provenance_that_json_cannot_store(value):
    with pytest.raises(
        ValueError, match="`provenance`. Expected a dictionary that JSON"
    ):
        SamplingMask(np.eye(4), provenance={"a": value})


@pytest.mark.parametrize(
    "shape, matrix",
    [
        ((3, 3), (3, 4)),
        ((1, 3), (3, 4)),
        ((3, 1), (1, 3)),
        ((1, 3), (0, 3)),
        ((1, 3), 3),
        ((1, 3), "3"),
        ((1, 3), (2.5, 3)),
    ],
)
def test_refuses_matrix(shape, matrix):
    with pytest.raises(ValueError, match="`matrix`. Expected the size"):
        SamplingMask(np.ones(shape), matrix=matrix)


@pytest.mark.parametrize(
    "size", [240, (240,), (240, 0), (240, -1), (240, math.inf), ("a", 1)]
)
def test_refuses_field_of_view(size):
    with pytest.raises(ValueError, match="`field_of_view`. Expected a pair"):
        SamplingMask(np.eye(3), field_of_view=size)
