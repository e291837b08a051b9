import numpy as np
import pytest

from loupe_tf import trajectories
from loupe_tf.trajectories import HARDWARE, Hardware, Trajectory
from loupe_tf.trajectories.hardware import standardize_hardware

SIZES = {"matrix": (64, 64), "field_of_view": (230, 230), "dwell": 1e-5}
HYDROGEN = 42.577478518e6


def straight(gradient, angle=0.0, **sizes):
    """One shot through DC at a constant gradient, in mT/m."""
    sizes = {**SIZES, **sizes}
    voxel = np.array(sizes["field_of_view"]) / sizes["matrix"] / 1000
    step = HYDROGEN * sizes["dwell"] * gradient / 1000 * voxel
    direction = np.array([np.sin(angle), np.cos(angle)])
    time = np.arange(-4, 5)[:, None]
    return Trajectory((time * step * direction)[None], **sizes)


def test_a_constant_gradient_has_no_slew_rate():
    report = Hardware(40, 180).check(straight(30))
    np.testing.assert_allclose(report.gradient, 30)
    np.testing.assert_allclose(report.slew, 0, atol=1e-6)
    assert report.gradient.shape == (1, 10) and report.slew.shape == (1, 9)
    assert report.ok and not report.violations


def test_a_constant_slew_rate():
    """A parabola: 100 T/m/s for 1 ms is 100 mT/m, here from -50 to 50."""
    voxel = 0.050 / 64
    time = 1e-5 * (np.arange(101) - 50)
    k = HYDROGEN * 100 * time**2 / 2 * voxel
    sizes = {**SIZES, "field_of_view": (50, 50)}
    curve = Trajectory(np.stack([k, 0 * k], -1)[None], **sizes)
    report = Hardware(51, 118).check(curve)
    np.testing.assert_allclose(report.slew[0, 9:-9], 100, rtol=1e-5)
    np.testing.assert_allclose(report.gradient.max(), 49.5, rtol=1e-2)
    assert report.ok


def test_where_a_limit_is_broken_and_by_how_much():
    positions = np.zeros((3, 20, 2))
    positions[1, 12, 0] = 0.06
    report = Hardware(40, 180).check(Trajectory(positions, **SIZES))
    assert not report.ok
    gradient, slew = report.violations
    assert (gradient.limit, gradient.shot) == ("gradient", 1)
    assert gradient.sample in (12, 13)
    assert (slew.shot, slew.sample) == (1, 12)
    assert slew.value == report.slew.max() == report.slew[1, 12]
    assert slew.value / 180 - 1 == pytest.approx(report.excess)
    text = str(report)
    assert "shot 1, sample 12: slew rate" in text
    assert f"{100 * report.excess:.3g} % above 180 T/m/s" in text


def test_many_violations_are_counted(rng):
    noise = Trajectory(rng.uniform(-0.4, 0.4, (9, 20, 2)), **SIZES)
    report = Hardware(40, 180).check(noise)
    assert len(report.violations) == 18
    assert str(report).endswith("and 13 more")


def test_by_magnitude_or_axis():
    diagonal = straight(30 * 2**0.5, angle=np.pi / 4)
    assert Hardware(31, 180, by="axis").check(diagonal).ok
    assert not Hardware(31, 180).check(diagonal).ok


def test_pixels_of_two_sizes():
    """The same positions need half the gradient along the larger pixels."""
    along_h = straight(30, angle=np.pi / 2)
    other = Trajectory(
        along_h.positions,
        matrix=(64, 64),
        field_of_view=(460, 230),
        dwell=1e-5,
    )
    report = Hardware(40, 180).check(other)
    np.testing.assert_allclose(report.gradient, 15)
    limits = Hardware(40, 180).limits(other.voxel_size, 1e-5)
    assert limits.scale == (0.5, 1.0)


def test_limits_in_positions():
    limits = Hardware(40, 180).limits((230 / 128,) * 2, 1e-5)
    assert limits.speed == pytest.approx(0.030603, rel=1e-4)
    assert limits.acceleration == pytest.approx(0.0013771, rel=1e-4)
    longer = Hardware(40, 180).limits((230 / 128,) * 2, 2e-5)
    assert longer.speed == pytest.approx(2 * limits.speed)
    assert longer.acceleration == pytest.approx(4 * limits.acceleration)


@pytest.mark.parametrize("dwell", [4e-6, 1.5e-5, 3.00001e-5])
def test_a_raster_that_does_not_divide_the_dwell(dwell):
    curve = straight(10, dwell=dwell)
    with pytest.raises(ValueError, match="dwell.*raster of 1e-05 s, such as"):
        Hardware(40, 180).check(curve)


@pytest.mark.parametrize("name", ["dwell", "matrix", "field_of_view"])
def test_unknown_sizes(name):
    sizes = {k: v for k, v in SIZES.items() if k != name}
    curve = Trajectory(np.zeros((1, 4, 2)), **sizes)
    with pytest.raises(ValueError, match=f"`{name}`. Expected a known value"):
        Hardware(40, 180).check(curve)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"max_gradient": 0}, "max_gradient.*above 0"),
        ({"max_slew": -1}, "max_slew"),
        ({"raster": np.nan}, "raster"),
        ({"by": "volume"}, "by.*magnitude.*axis"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Hardware(**{"max_gradient": 40, "max_slew": 180, **arguments})


def test_by_name():
    assert standardize_hardware("prisma") == HARDWARE["prisma"]
    assert standardize_hardware(HARDWARE["mr750"]).raster == 4e-6
    with pytest.raises(ValueError, match="hardware.*clinical.*Received.*x"):
        standardize_hardware("x")


def test_radial_is_cheap_at_low_speed():
    spokes = trajectories.radial(4, 512, **SIZES)
    assert HARDWARE["clinical"].check(spokes).ok


def test_steps_are_the_bandwidth_over_that_of_the_receiver():
    """γ/2π · G · FOV · dwell, by axis."""
    for gradient, view in ((5, (230, 230)), (20, (100, 300))):
        along_h = straight(gradient, angle=np.pi / 2, field_of_view=view)
        expected = HYDROGEN * gradient * 1e-3 * view[0] * 1e-3 * 1e-5
        np.testing.assert_allclose(
            along_h.largest_steps, (expected, 0), atol=1e-12
        )
        along_w = straight(gradient, field_of_view=view)
        expected *= view[1] / view[0]
        np.testing.assert_allclose(
            along_w.largest_steps, (0, expected), atol=1e-12
        )


def test_steps_of_known_curves():
    # 16 samples along a line of 24 cycles per field of view, and one shot that
    # is slower; steps between shots do not count.
    line = np.zeros((2, 16, 3))
    line[0, :, 1] = np.arange(16) / 16 - 0.5
    line[1, :, 2] = np.linspace(0.2, 0.21, 16)
    found = Trajectory(line, matrix=(8, 24, 30)).largest_steps
    np.testing.assert_allclose(found, (0, 1.5, 0.01 / 15 * 30))
    assert Trajectory(line).largest_steps is None
    # A diameter that ends at +1/2, which is stored as -1/2.
    diameter = np.linspace(-0.5, 0.5, 129)[:, None] * [[0, 1.0]]
    with pytest.warns(UserWarning):
        found = Trajectory(diameter[None], matrix=(64, 64)).largest_steps
    np.testing.assert_allclose(found, (0, 0.5))
    alone = Trajectory(line[:, :1], matrix=(8, 24, 30))
    assert alone.largest_steps == (0, 0, 0)
