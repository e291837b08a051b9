import numpy as np
import pytest

from loupe_tf.trajectories import (
    HARDWARE,
    Hardware,
    decaying_density,
    distance_to_density,
    radial,
    sparkling,
)

SCAN = {"field_of_view": (220, 220), "dwell": 2e-5}


@pytest.fixture(scope="module")
def density():
    """Not symmetric, as learned ones are not."""
    density = decaying_density((48, 64))
    density[:, 40:] *= 1.5
    return density / density.sum()


@pytest.fixture(scope="module")
def curves(density):
    return sparkling(density, 16, 128, "prisma", iterations=25, **SCAN)


def test_samples_follow_the_density(density, curves):
    spokes = radial(16, 128)
    assert distance_to_density(spokes, density) > 0.2
    assert distance_to_density(curves, density) < 0.1


def test_limits_hold_and_all_shots_cross_dc(curves):
    report = HARDWARE["prisma"].check(curves)
    assert report.ok, report
    np.testing.assert_allclose(curves.positions[:, 64], 0, atol=1e-12)
    # And the slew rate is made use of.
    assert report.slew.max() > 100


def test_energy_falls(curves):
    energy = curves.provenance["energy"]
    assert len(energy) == 26 and energy[-1] < energy[0]
    assert (np.diff(energy) <= 0).all()


def test_distance_falls(curves, density):
    before, after = curves.provenance["distance"]
    assert after == pytest.approx(distance_to_density(curves, density))
    assert before > 0.2 > after


def quick(density, **changes):
    arguments = {"shots": 3, "samples": 32, "hardware": "prisma", **SCAN}
    arguments.update(iterations=3, levels=2)
    return sparkling(density, **{**arguments, **changes})


def test_seed(density):
    one, same, other = (quick(density, seed=s) for s in (1, 1, 2))
    assert one == same
    assert np.abs(one.positions - other.positions).max() > 1e-3
    assert one.provenance["seed"] == 1


@pytest.mark.parametrize("echo", [0, 7, 31, None])
def test_echo(density, echo):
    curves = quick(density, echo=echo)
    assert HARDWARE["prisma"].check(curves).ok
    at_dc = np.abs(curves.positions).max(axis=-1) < 1e-12
    assert at_dc[:, echo].all() if echo is not None else not at_dc.any()


def test_summation(density):
    pairs, grid = (quick(density, summation=s) for s in ("pairs", "grid"))
    np.testing.assert_allclose(pairs.positions, grid.positions, atol=0.02)


def test_from_a_trajectory_with_other_pixels(density):
    start = radial(4, 40)
    hardware = Hardware(30, 100, by="axis")
    curves = sparkling(
        density, 4, 40, hardware, (400, 220), 4e-5, matrix=(64, 64),
        start=start, iterations=2, levels=1, provenance={"note": "kept"},
    )  # fmt: skip
    assert hardware.check(curves).ok
    assert curves.matrix == (64, 64) and curves.provenance["note"] == "kept"


def test_shots_that_are_too_short(density):
    """The message says what would do, and it does."""
    with pytest.raises(ValueError, match="`samples`. Expected at least") as e:
        quick(density, dwell=1e-5, hardware=Hardware(3, 180))
    message = str(e.value)
    least = int(message.split("at least ")[1].split()[0])
    dwell = float(message.split("dwell=")[1].split(":")[0])
    quick(density, dwell=1e-5, hardware=Hardware(3, 180), samples=least)
    quick(density, dwell=dwell, hardware=Hardware(3, 180))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"density": np.full((8, 8), np.nan)}, "density.*NaN"),
        ({"density": -np.ones((8, 8))}, "density.*negative"),
        ({"shots": 0}, "shots"),
        ({"echo": 32}, "echo.*below 32"),
        ({"summation": "x"}, "summation"),
        ({"start": radial(3, 31)}, "start.*3 shots of 32"),
        ({"dwell": 1.5e-5}, "dwell.*multiple"),
    ],
)
def test_arguments(density, changes, message):
    with pytest.raises(ValueError, match=message):
        quick(**{"density": density, **changes})


@pytest.mark.parametrize("samples", [65, 102])
def test_any_number_of_samples(samples):
    """Coarse levels need not fit the raster; the curves themselves do."""
    density = decaying_density((32, 32))
    curves = sparkling(density, 2, samples, "prisma", iterations=2, **SCAN)
    assert curves.samples == samples
    assert HARDWARE["prisma"].check(curves).ok
