import numpy as np
import pytest
from keras import ops

from loupe_tf.layers import LearnedPositions
from loupe_tf.trajectories import HARDWARE, Hardware, radial
from loupe_tf.trajectories.waveforms import curve_positions

SIZES = {"matrix": (32, 32), "field_of_view": (220, 220), "dwell": 2e-5}
ANY = np.zeros((1, 4, 4, 1), "float32")
SPOKES = radial(3, 24, **SIZES)


def test_begins_with_the_start(check_layer):
    layer = LearnedPositions(SPOKES, "prisma", echo=12)
    check_layer(layer, ANY)
    found = ops.convert_to_numpy(layer(ANY))
    np.testing.assert_allclose(found[0], SPOKES.positions, atol=1e-5)
    np.testing.assert_allclose(layer.trajectory.positions, found[0], atol=1e-6)
    assert layer.trajectory.dwell == 2e-5


def test_a_start_that_hardware_cannot_run():
    slow = Hardware(10, 2)
    layer = LearnedPositions(SPOKES, slow, echo=3)
    layer.build(ANY.shape)
    assert not Hardware(2, 2).check(SPOKES).ok
    assert slow.check(layer.trajectory).ok
    np.testing.assert_allclose(layer.trajectory.positions[:, 3], 0, atol=1e-7)


def test_the_echo_is_an_integer_of_numpy():
    """As `np.argmin` gives it; the trajectory and the model save it."""
    layer = LearnedPositions(SPOKES, "prisma", echo=np.int64(12))
    layer.build(ANY.shape)
    assert layer.trajectory.provenance["echo"] == 12
    assert type(layer.get_config()["echo"]) is int
    with pytest.raises(ValueError, match="`echo`"):
        LearnedPositions(SPOKES, echo=1.5)


def test_levels(rng):
    """Noise is left out at coarse levels, and no limit is broken at any."""
    layer = LearnedPositions(SPOKES, "prisma", echo=12, levels=3)
    layer.build(ANY.shape)
    noise = rng.normal(0, 0.02, layer.curves.shape)
    layer.curves.assign(ops.convert_to_numpy(layer.curves) + noise)
    layer.curves.assign(layer.feasible(layer.curves))
    bends = []
    for level in (2, 1, 0):
        layer.level.assign(level)
        found = ops.convert_to_numpy(layer(ANY))[0]
        trajectory = layer.trajectory
        np.testing.assert_allclose(found, trajectory.positions, atol=1e-5)
        assert HARDWARE["prisma"].check(trajectory).ok
        np.testing.assert_allclose(found[:, 12], 0, atol=1e-6)
        bends.append(np.abs(np.diff(found, 3, axis=1)).mean())
    assert bends[0] < bends[1] < bends[2]


@pytest.mark.parametrize("hardware", [None, "prisma"])
def test_an_update_at_a_coarse_level_leaves_the_weight_smooth(rng, hardware):
    """What is invisible there would grow, and use up the limits."""
    layer = LearnedPositions(SPOKES, hardware, echo=12, levels=3)
    layer.build(ANY.shape)
    start = 0.8 * ops.convert_to_numpy(layer.curves)
    moved = start + rng.normal(0, 0.1, start.shape)
    layer.constrained_level = 2
    found = ops.convert_to_numpy(layer.curves.constraint(moved))
    assert np.abs(layer._spans[2] @ found - found).max() < 0.03
    layer.level.assign(0)
    layer.constrained_level = 0
    found = ops.convert_to_numpy(layer.curves.constraint(moved))
    assert np.abs(layer._spans[2] @ found - found).max() > 0.05


def test_splines_do_not_lead_out_of_k_space():
    layer = LearnedPositions(SPOKES, levels=3)
    layer.build(ANY.shape)
    edge = np.full(layer.curves.shape, -0.499 / layer.unit)
    edge[:, ::5] *= -1
    layer.curves.assign(edge)
    assert np.abs(ops.convert_to_numpy(layer(ANY))).max() < 0.5
    assert np.abs(layer.trajectory.positions).max() < 0.5


def test_gradient_against_differences(rng, gradient):
    """Through the span, at a coarse level."""
    layer = LearnedPositions(SPOKES, levels=2, unit=0.5)
    layer.build(ANY.shape)
    weights = rng.normal(size=(1, 3, 24, 2)).astype("float32")
    # Away from the edge of k-space.
    start = 0.5 * ops.convert_to_numpy(layer.curves)

    def loss(curves):
        found = curve_positions(layer._control_points(curves), ops)
        return ops.sum(ops.multiply(found[None], weights))

    found = gradient(loss, start)
    step = 0.05 * rng.normal(size=start.shape).astype("float32")
    difference = float(loss(start + step)) - float(loss(start - step))
    # It is linear.
    assert (found * step).sum() == pytest.approx(difference / 2, rel=1e-3)


def test_penalty_in_place_of_the_projection(rng, check_layer):
    """The curves may leave the limits, but not k-space; the loss rises."""
    layer = LearnedPositions(SPOKES, "prisma", echo=12, penalty=0.1)
    check_layer(layer, ANY)
    layer(ANY)
    (inside,) = layer.losses
    noise = rng.normal(0, 0.1, layer.curves.shape)
    layer.curves.assign(ops.convert_to_numpy(layer.curves) + noise / layer.unit)
    layer.curves.assign(layer.curves.constraint(layer.curves))
    layer(ANY)
    beyond = layer.losses[-1]
    assert float(inside) < 1e-3 < float(beyond)
    positions = layer.trajectory.positions
    assert np.abs(positions).max() < 0.5
    np.testing.assert_allclose(positions[:, 12], 0, atol=1e-6)
    assert not HARDWARE["prisma"].check(layer.trajectory).ok


@pytest.mark.parametrize(
    "start, options, message",
    [
        (SPOKES, {"hardware": "x"}, "hardware"),
        (radial(3, 24), {"hardware": "prisma"}, "dwell|matrix"),
        (SPOKES, {"levels": 0}, "levels"),
        (SPOKES, {"penalty": 0.1}, "penalty.*without hardware"),
        (SPOKES, {"hardware": "prisma", "penalty": -1}, "penalty"),
        (SPOKES, {"unit": 0}, "unit"),
        (SPOKES, {"echo": 24}, "pins.*below 24"),
        (np.zeros((1, 4, 3)), {}, "start.*two axes"),
    ],
)
def test_arguments(start, options, message):
    with pytest.raises(ValueError, match=message):
        LearnedPositions(start, **options)
