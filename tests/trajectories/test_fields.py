import numpy as np
import pytest

from loupe_tf.trajectories import decaying_density
from loupe_tf.trajectories.fields import Field, refined, repulsion, spread


def test_field_is_the_sum_over_all_charges(rng):
    """On points of the grid exactly, for sizes even and odd."""
    charges = rng.uniform(size=(7, 10))
    rows = (np.arange(7) - 3) / 7
    columns = (np.arange(10) - 5) / 10
    points = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)
    points = points.reshape(-1, 2)
    across = points[:, None] - points
    distance = np.linalg.norm(across, axis=-1)
    unit = across / np.where(distance > 0, distance, 1)[..., None]
    potential, gradient = Field(charges).at(points)
    np.testing.assert_allclose(potential, distance @ charges.ravel())
    expected = (unit * charges.ravel()[:, None]).sum(axis=1)
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


def test_gradient_of_the_attraction(rng):
    """Against differences of the exact potential."""
    density = decaying_density((64, 64))
    field = Field(density)
    rows = (np.arange(64) - 32) / 64
    points = np.stack(np.meshgrid(rows, rows, indexing="ij"), -1)

    def potential(at):
        return (np.linalg.norm(points - at, axis=-1) * density).sum()

    for at in rng.uniform(-0.4, 0.4, (5, 2)):
        _, gradient = field.at(at[None])
        differences = [
            (potential(at + step) - potential(at - step)) / 2e-3
            for step in 1e-3 * np.eye(2)
        ]
        np.testing.assert_allclose(gradient[0], differences, atol=3e-3)


def test_gradient_of_the_repulsion(rng):
    positions = rng.uniform(-0.5, 0.5, (40, 2))
    potential, push = repulsion(positions)
    distance = np.linalg.norm(positions[:, None] - positions, axis=-1)
    np.testing.assert_allclose(potential, distance.sum(axis=1))
    for axis in (0, 1):
        totals = []
        for step in (1e-6, -1e-6):
            moved = positions.copy()
            moved[3, axis] += step
            totals.append(repulsion(moved)[0].sum() / 2)
        slope = (totals[0] - totals[1]) / 2e-6
        assert push[3, axis] == pytest.approx(slope, abs=1e-5)


def test_samples_at_one_place_do_not_push():
    _, push = repulsion(np.zeros((5, 2)))
    assert not push.any()


def test_sums_on_a_grid_are_close(rng):
    """Also where samples crowd; no sample pushes itself."""
    positions = np.clip(rng.normal(0, 0.12, (3000, 2)), -0.45, 0.45)
    potential, push = repulsion(positions)
    grid = Field(spread(positions, (128, 128)))
    on_grid, push_on_grid = grid.at(positions)
    assert abs(on_grid.sum() / potential.sum() - 1) < 1e-3
    error = np.linalg.norm(push_on_grid - push, axis=1)
    assert np.sqrt((error**2).mean()) / 3000 < 2e-3
    alone = Field(spread(np.array([[0.1234, 0.2]]), (64, 64)))
    _, itself = alone.at(np.array([[0.1234, 0.2]]))
    np.testing.assert_allclose(itself, 0, atol=1e-12)


def test_spread_keeps_the_charge_and_its_centre(rng):
    positions = rng.uniform(-0.4, 0.4, (50, 2))
    charges = spread(positions, (16, 21))
    assert charges.sum() == pytest.approx(50)
    rows = (np.arange(16) - 8) / 16
    assert rows @ charges.sum(axis=1) == pytest.approx(positions[:, 0].sum())


@pytest.mark.parametrize("size", [(6, 9), (7, 8)])
def test_refined(rng, size):
    """Each entry is in the 3 × 3 around its own place, periodically."""
    density = rng.uniform(size=size)
    fine = refined(density)
    assert fine.shape == tuple(3 * n for n in size)
    assert fine.sum() == pytest.approx(density.sum())
    for (i, j), value in np.ndenumerate(fine):
        k = ((i - 3 * size[0] // 2) / 3, (j - 3 * size[1] // 2) / 3)
        at = [(round(x) + n // 2) % n for x, n in zip(k, size)]
        assert value == pytest.approx(density[tuple(at)] / 9)
    large = np.zeros((401, 2))
    assert refined(large) is large
