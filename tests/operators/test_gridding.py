import numpy as np
import pytest
from keras import ops

from loupe_tf.operators.gridding import Gridding, kernel_width


@pytest.mark.parametrize(
    "accuracy, width",
    [(0.1, 2), (1e-2, 3), (1e-3, 4), (2e-3, 4), (1e-5, 6), (1e-7, 8)],
)
def test_width(accuracy, width):
    assert kernel_width(accuracy) == width


@pytest.mark.parametrize("examples", [1, 3])
@pytest.mark.parametrize("tensor", [False, True])
def test_transposes(rng, examples, tensor):
    positions = rng.uniform(-1, 1, (examples, 20, 2))
    if tensor:
        positions = ops.convert_to_tensor(positions, "float32")
    gridding = Gridding(positions, (5, 6), 1e-4)
    points = np.prod(gridding.shape)
    grid = rng.normal(size=(examples, points, 4)).astype("float32")
    values = rng.normal(size=(examples, 20, 4)).astype("float32")
    left = ops.convert_to_numpy(gridding.interpolate(grid)) * values
    right = ops.convert_to_numpy(gridding.spread(values)) * grid
    # For each example and channel by itself.
    np.testing.assert_allclose(left.sum(1), right.sum(1), atol=1e-4)


def test_fixed_positions_are_sorted(rng):
    """The results are in the given order; the work is in that of the grid."""
    positions = rng.uniform(-0.5, 0.5, (2, 50, 2))
    fixed = Gridding(positions, (9, 8), 1e-5)
    learned = Gridding(
        ops.convert_to_tensor(positions, "float32"), (9, 8), 1e-5
    )
    grid = rng.normal(size=(2, np.prod(fixed.shape), 2)).astype("float32")
    np.testing.assert_allclose(
        fixed.interpolate(grid), learned.interpolate(grid), atol=1e-4
    )
    for example in np.split(fixed._index[:, 0], 2):
        assert (np.diff(example) >= 0).all()


def test_as_a_sparse_matrix(rng):
    gridding = Gridding(rng.uniform(-1, 1, (1, 50, 2)), (9, 8), 1e-5)
    grid = rng.normal(size=(np.prod(gridding.shape), 2)).astype("float32")
    found = gridding.matrix() @ grid
    expected = ops.convert_to_numpy(gridding.interpolate(grid[None]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_gradients_are_finite_where_the_kernel_ends(gradient):
    """On a grid point, √(1 - z²) is 0, and its derivative infinite."""
    positions = np.zeros((1, 1, 2), "float32")

    def total(positions):
        gridding = Gridding(positions, (4, 4), 1e-3)
        return ops.sum(gridding.interpolate(np.ones((1, 64, 1), "float32")))

    found = gradient(total, positions)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, 0, atol=1e-5)  # By symmetry.
