import numpy as np
import pytest

from loupe_tf.masks import poisson_disc, uniform_random


def points_and_radii(mask):
    """Entries outside the calibration region, and the radius of each."""
    array = mask.array.copy()
    if mask.calibration is not None:
        h = w = mask.calibration
        top, left = array.shape[0] // 2 - h // 2, array.shape[1] // 2 - w // 2
        array[top : top + h, left : left + w] = False
    points = np.argwhere(array)
    halves = np.array(array.shape) / 2
    d = np.linalg.norm((points - np.array(array.shape) // 2) / halves, axis=1)
    growth, radius = (mask.provenance[k] for k in ("growth", "radius"))
    return points, radius * (1 + growth * d)


def squared_distances(points):
    offsets = points[:, None] - points[None, :]
    squared = (offsets**2).sum(axis=-1)
    np.fill_diagonal(squared, 10**9)
    return squared


@pytest.mark.parametrize("calibration", [None, 6])
@pytest.mark.parametrize("growth", [0, 1.0, 3.0])
@pytest.mark.parametrize("acceleration", [4, 8, 13.7])
@pytest.mark.parametrize("shape", [(64, 64), (47, 80)])
def test_entries_keep_their_distance(shape, acceleration, growth, calibration):
    mask = poisson_disc(shape, acceleration, calibration, growth)
    points, radii = points_and_radii(mask)
    least = np.minimum(radii[:, None], radii[None, :])
    squared = squared_distances(points)
    assert (squared >= least**2 * (1 - 1e-9)).all()


def test_distance_is_worth_something():
    # Of 512 random entries of 4096 some are neighbours; here none are.
    disc = squared_distances(np.argwhere(poisson_disc((64, 64), 8, growth=0)))
    random = squared_distances(np.argwhere(uniform_random((64, 64), 8)))
    assert disc.min() >= 4
    assert random.min() == 1
    # No hole is larger than the radius before the last shrinking, or a dart
    # would have stuck in it.
    mask = poisson_disc((64, 64), 8, growth=0)
    grid = np.argwhere(np.ones(mask.shape))
    points = np.argwhere(mask.array)
    nearest = ((grid[:, None] - points[None]) ** 2).sum(axis=-1).min(axis=1)
    assert nearest.max() <= (mask.provenance["radius"] / 0.95) ** 2


def test_growth_makes_the_centre_denser():
    def share_in_the_centre(growth):
        mask = poisson_disc((96, 96), 8, growth=growth)
        return mask.array[32:64, 32:64].sum() / mask.acquired

    assert 0.09 < share_in_the_centre(0) < 0.13  # A ninth of the area.
    assert share_in_the_centre(1) > 0.16
    assert share_in_the_centre(4) > share_in_the_centre(1) + 0.1


@pytest.mark.parametrize("shape", [(64, 64), (47, 80)])
def test_corners_are_left_out_at_the_same_budget(shape):
    mask = poisson_disc(shape, 4, 5, corners=False)
    assert mask.acquired == round(shape[0] * shape[1] / 4)
    points, radii = points_and_radii(mask)
    halves = np.array(shape) / 2
    distance = np.linalg.norm((points - np.array(shape) // 2) / halves, axis=1)
    assert 0.95 < distance.max() <= 1
    least = np.minimum(radii[:, None], radii[None, :])
    assert (squared_distances(points) >= least**2 * (1 - 1e-9)).all()
    assert mask.provenance["corners"] is False
    with pytest.raises(ValueError, match="`corners`. Expected True"):
        poisson_disc(shape, 1.2, corners=False)
    assert poisson_disc(shape, 1.2).acquired == round(mask.array.size / 1.2)


def test_no_side_is_preferred():
    array = poisson_disc((96, 96), 4, calibration=30).array
    halves = [array[:48], array[48:], array[:, :48], array[:, 48:]]
    for half in halves:
        assert abs(half.sum() - 1152) < 0.03 * 1152


@pytest.mark.parametrize("growth", [0, 1.0, 1000.0])
@pytest.mark.parametrize("acceleration", [1.01, 1.5, 200])
def test_extremes_end(acceleration, growth):
    mask = poisson_disc((20, 21), acceleration, growth=growth)
    assert mask.acquired == round(420 / acceleration)


def test_large_mask():
    mask = poisson_disc((320, 320), 4, calibration=20)
    assert mask.acquired == 25600


@pytest.mark.parametrize("growth", [-0.1, float("nan"), float("inf"), "1"])
def test_refuses_growth(growth):
    with pytest.raises(ValueError, match="`growth`. Expected a finite number"):
        poisson_disc((32, 32), 4, growth=growth)
