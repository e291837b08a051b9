import numpy as np
import pytest

from loupe_tf.trajectories import GOLDEN_ANGLE, epi, radial, rosette, spiral

EVERY = [
    radial(5, 16),
    radial(6, 15, golden=True),
    spiral(3, 40, turns=4.5),
    spiral(2, 30, turns=3, direction="in"),
    spiral(2, 30, turns=3, direction="in_out"),
    rosette(4, 50, petals=3),
    epi((6, 7), shots=3),
]


@pytest.mark.parametrize("trajectory", EVERY, ids=repr)
def test_within_kspace_and_through_dc(trajectory):
    """A warning, of positions outside, would be an error of the pattern."""
    positions = trajectory.positions
    assert (positions >= -0.5).all() and (positions < 0.5).all()
    radii = np.linalg.norm(positions, axis=-1)
    assert radii.min() < 1e-12
    assert trajectory.provenance["pattern"] in repr(trajectory)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("samples", [1, 2, 15, 16, 500])
@pytest.mark.parametrize("shots", [1, 4, 13])
def test_no_warning_at_any_size(samples, shots):
    radial(shots, samples)
    radial(shots, samples, golden=True)
    spiral(shots, samples, turns=3)
    spiral(shots, samples, turns=3, direction="in_out")
    rosette(shots, samples)


@pytest.mark.parametrize("golden, step", [(False, 36), (True, 111.246)])
def test_radial(golden, step):
    spokes = radial(5, 16, golden=golden).positions
    assert not spokes[:, 8].any()  # DC.
    angles = np.degrees(np.arctan2(spokes[:, -1, 0], spokes[:, -1, 1]))
    np.testing.assert_allclose(
        angles % 360, np.arange(5) * step % 360, atol=0.1
    )
    radii = np.linalg.norm(spokes, axis=-1)
    np.testing.assert_allclose(radii, [np.abs(np.arange(-8, 8)) / 16] * 5)


def test_golden_angle():
    """The share of half a turn is the golden ratio's inverse."""
    assert GOLDEN_ANGLE / np.pi == pytest.approx(1 / ((1 + 5**0.5) / 2))


def test_spiral():
    out = spiral(4, 200, turns=3).positions
    assert not out[:, 0].any()
    np.testing.assert_allclose(
        np.linalg.norm(out, axis=-1), [np.arange(200) / 400] * 4
    )
    angle = np.unwrap(np.arctan2(out[0, 1:, 0], out[0, 1:, 1]))
    np.testing.assert_allclose(angle[-1], 2 * np.pi * 3 * 199 / 200)
    # Each shot is the one before it, turned by a quarter from W to H.
    turned = np.stack([out[0, :, 1], -out[0, :, 0]], -1)
    np.testing.assert_allclose(out[1], turned, atol=1e-12)
    inward = spiral(4, 200, turns=3, direction="in").positions
    np.testing.assert_array_equal(inward, out[:, ::-1])


@pytest.mark.parametrize("samples", [200, 201])
def test_spiral_in_and_out(samples):
    """Point-symmetric, and as dense as twice the arms of half the turns."""
    found = spiral(3, samples, turns=4, direction="in_out").positions
    assert not found[:, 100].any()  # DC.
    np.testing.assert_allclose(found[:, 99:0:-1], -found[:, 101:200])
    outwards = found[0, 101:]
    np.testing.assert_allclose(
        np.linalg.norm(outwards, axis=-1), np.arange(1, samples - 100) / 201
    )
    angle = np.unwrap(np.arctan2(outwards[:, 0], outwards[:, 1]))
    np.testing.assert_allclose(angle[-1], 4 * np.pi * (samples - 101) / 100.5)
    # Six arms of two turns each.
    arms = np.concatenate([found[:, 101:200], found[:, 99:0:-1]])
    first = np.arctan2(arms[:, 0, 0], arms[:, 0, 1])
    gaps = np.diff(np.sort(np.degrees(first) % 360))
    np.testing.assert_allclose(gaps, 60)


def test_rosette():
    positions = rosette(2, 600, petals=6, turns=1).positions
    radii = np.linalg.norm(positions[0], axis=-1)
    np.testing.assert_allclose(radii[::100], 0, atol=1e-12)
    np.testing.assert_allclose(radii[50::100], 0.5)


@pytest.mark.parametrize("shots", [1, 2, 3])
def test_epi(shots):
    """Each point of the grid once, rows to and fro."""
    positions = epi((6, 5), shots=shots).positions
    assert positions.shape == (shots, 30 // shots, 2)
    points = positions.reshape(-1, 2) * (6, 5) + (3, 2)
    np.testing.assert_allclose(points, points.round(), atol=1e-12)
    assert len({tuple(p) for p in points.round()}) == 30
    rows = positions[0].reshape(-1, 5, 2)
    assert rows[0, 0, 1] < rows[0, -1, 1]
    assert rows[1, 0, 1] > rows[1, -1, 1]
    np.testing.assert_allclose(rows[1, 0, 0] - rows[0, 0, 0], shots / 6)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: radial(0, 8), "shots.*at least 1"),
        (lambda: radial(3, 8.5), "samples.*integer"),
        (lambda: radial(3, 8, golden="yes"), "golden"),
        (lambda: spiral(3, 8, turns=0), "turns.*above 0"),
        (lambda: spiral(3, 8, turns=1, direction="up"), "direction.*out.*in"),
        (lambda: rosette(3, 8, petals=0), "petals.*at least 1"),
        (lambda: epi((6, 0)), "matrix.*at least 1"),
        (lambda: epi((6, 7), shots=4), "shots.*divisor of the 6 rows"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
