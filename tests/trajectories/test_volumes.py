import numpy as np
import pytest

from loupe_tf.trajectories import cones, radial, spiral, stack, stack_of_stars

EVERY = [
    stack_of_stars(5, 16, partitions=4),
    stack_of_stars(6, 15, partitions=3, golden=True, matrix=(3, 15, 15)),
    stack(spiral(2, 30, turns=3, dwell=1e-5), partitions=5),
    cones(50, 40),
    cones(7, 9, turns=0, dwell=2e-6),
]


@pytest.mark.parametrize("volume", EVERY, ids=repr)
def test_within_kspace_and_through_dc(volume):
    """A warning, of positions outside, would be an error of the pattern."""
    assert volume.axes == 3
    assert (volume.positions >= -0.5).all() and (volume.positions < 0.5).all()
    assert np.linalg.norm(volume.positions, axis=-1).min() < 1e-12
    assert volume.provenance["pattern"] in repr(volume)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("samples", [1, 2, 15, 16])
@pytest.mark.parametrize("shots", [1, 4, 13])
def test_no_warning_at_any_size(samples, shots):
    for partitions in (1, 2, 5):
        stack_of_stars(shots, samples, partitions)
    cones(shots, samples)


@pytest.mark.parametrize("partitions", [4, 5])
def test_stack(partitions):
    plane = spiral(3, 20, turns=2, dwell=1e-5)
    volume = stack(plane, partitions, field_of_view=(40, 200, 220))
    assert (volume.dwell, volume.field_of_view) == (1e-5, (40, 200, 220))
    found = volume.positions.reshape(3, partitions, 20, 3)
    # DC has index `partitions // 2`, as along a Cartesian axis.
    expected = np.fft.fftshift(np.fft.fftfreq(partitions))
    for p in range(partitions):
        np.testing.assert_array_equal(found[:, p, :, 0], expected[p])
        np.testing.assert_array_equal(found[:, p, :, 1:], plane.positions)


def test_stack_of_stars():
    found = stack_of_stars(4, 16, partitions=3, golden=True)
    plane = radial(4, 16, golden=True)
    np.testing.assert_array_equal(found.positions, stack(plane, 3).positions)
    assert found.provenance == {"pattern": "stack_of_stars", "golden": True}


def test_cones():
    """Each shot stays on its cone, and leaves DC at a constant speed."""
    volume = cones(100, 200, turns=2).positions
    radii = np.linalg.norm(volume, axis=-1)
    np.testing.assert_allclose(radii, [np.arange(200) / 400] * 100, atol=1e-12)
    cosines = volume[:, 1:, 0] / radii[:, 1:]
    expected = 1 - (2 * np.arange(100) + 1) / 100
    np.testing.assert_allclose(cosines, np.tile(expected, (199, 1)).T)
    angles = np.unwrap(np.arctan2(volume[:, 1:, 1], volume[:, 1:, 2]))
    turns = (angles[:, -1] - angles[:, 0]) / (2 * np.pi) * 200 / 198
    np.testing.assert_allclose(turns, 2 * np.sqrt(1 - expected**2), rtol=1e-6)


def test_ends_of_cones_are_even():
    """They cover the sphere: even in direction, with no two close."""
    ends = 2 * cones(300, 500, turns=0).positions[:, -1]
    np.testing.assert_allclose(ends.mean(axis=0), 0, atol=0.01)
    moments = ends.T @ ends / len(ends)
    np.testing.assert_allclose(moments, np.eye(3) / 3, atol=0.01)
    distances = np.linalg.norm(ends[:, None] - ends, axis=-1)
    nearest = np.sort(distances, axis=1)[:, 1]
    # Points of a square grid of as many would be 0.205 apart.
    assert nearest.min() > 0.17


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: cones(0, 8), "shots.*at least 1"),
        (lambda: cones(3, 8, turns=-1), "turns.*at least 0"),
        (lambda: stack_of_stars(3, 8, partitions=0), "partitions.*at least 1"),
        (lambda: stack(cones(3, 8), 2), "trajectory.*two axes.*cones"),
        (lambda: stack_of_stars(3, 8, 2, matrix=(8, 8)), "matrix.*3 axes"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
