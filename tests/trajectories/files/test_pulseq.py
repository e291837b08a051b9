import numpy as np
import pytest

from loupe_tf.formats import (
    load_trajectory,
    save_trajectory,
    trajectory_sequence,
)
from loupe_tf.trajectories import (
    Hardware,
    Trajectory,
    cones,
    decaying_density,
    radial,
    sparkling,
    spiral,
)
from loupe_tf.trajectories.files.pulseq_shots import round_up

pp = pytest.importorskip("pypulseq")

SIZES = {"matrix": (64, 48), "field_of_view": (220, 190), "dwell": 1e-5}


@pytest.fixture(scope="module")
def curves():
    density = decaying_density(SIZES["matrix"])
    return sparkling(
        density, 4, 128, "prisma", SIZES["field_of_view"], 2e-5, iterations=2,
        provenance={"weights_sha256": 64 * "a"},
    )  # fmt: skip


def fast():
    """Straight spokes at the largest gradient that is allowed."""
    return Hardware(40, 180, by="axis"), radial(5, 130, **SIZES)


@pytest.mark.parametrize("name", ["curves", "spiral", "straight", "raster"])
def test_positions_in_the_file(tmp_path, request, name):
    """By pypulseq, of the file, with its own checks of limits and timing."""
    hardware = None
    if name == "curves":
        trajectory = request.getfixturevalue("curves")
    elif name == "spiral":
        trajectory = spiral(3, 1000, turns=4, **SIZES)
    else:
        hardware, trajectory = fast()
    if name == "raster":  # Another vendor's; and a dwell time of many rasters.
        hardware = Hardware(80, 200, raster=4e-6)
        trajectory = trajectory.replace(dwell=1.2e-5)
    path = tmp_path / "scan.seq"
    save_trajectory(trajectory, path, hardware=hardware, dummy_scans=3)
    sequence = pp.Sequence()
    if name == "raster":
        sequence = pp.Sequence(
            pp.Opts(grad_raster_time=4e-6, block_duration_raster=4e-6)
        )
    sequence.read(str(path))
    correct, errors = sequence.check_timing()
    assert correct, errors
    kspace, _, pulses, _, _ = sequence.calculate_kspace()
    assert len(pulses) == trajectory.shots + 3
    views = np.array([0.220, 0.190])
    found = kspace[1::-1].T * views / trajectory.matrix
    found = found.reshape(trajectory.positions.shape)
    np.testing.assert_allclose(found, trajectory.positions, atol=1e-6)
    # Refocused along the slice: 0.1 % of a turn across it.
    assert np.abs(kspace[2]).max() * 0.005 < 1e-3


@pytest.mark.parametrize("version", ["1.5", "1.4"])
def test_round_trip(tmp_path, curves, version):
    path = tmp_path / "scan.seq"
    save_trajectory(curves, path, version=version)
    assert f"minor {version[2:]}" in path.read_text()
    found = load_trajectory(path)
    np.testing.assert_allclose(found.positions, curves.positions, atol=1e-6)
    assert found.matrix == curves.matrix and found.dwell == curves.dwell
    np.testing.assert_allclose(found.field_of_view, curves.field_of_view)
    assert found.provenance == {
        "pattern": "sparkling",
        "weights_sha256": 64 * "a",
    }


def largest(sequence):
    """The largest gradient and slew rate of x, y, z together, in SI units."""
    waveforms = sequence.waveforms()
    start, end = 0, max(w[0, -1] for w in waveforms if w.size)
    time = np.arange(start, end, 5e-6)
    vectors = np.stack(
        [np.interp(time, w[0], w[1], left=0, right=0) for w in waveforms[:2]]
    )
    vectors = vectors / 42.577478518e6
    slew = np.diff(vectors, axis=1) / 5e-6
    return [np.linalg.norm(v, axis=0).max() for v in (vectors, slew)]


def test_magnitudes_stay_within_limits(curves):
    """The whole protocol counts, ramps and lobes included."""
    sequence = trajectory_sequence(curves, dummy_scans=0)
    gradient, slew = largest(sequence)
    assert 1000 * gradient <= 80.001 and slew <= 200.1


def test_times(curves):
    shortest = trajectory_sequence(curves).definitions
    asked = trajectory_sequence(curves, te=6, tr=20, dummy_scans=1)
    assert asked.definitions["TE"] == pytest.approx(6e-3, abs=1e-5)
    assert asked.definitions["TR"] == pytest.approx(20e-3, abs=1e-5)
    assert shortest["TE"] < 6e-3 and shortest["TR"] < 20e-3
    duration = sum(asked.block_durations.values())
    assert duration == pytest.approx(5 * asked.definitions["TR"])
    _, _, pulses, _, samples = asked.calculate_kspace()
    echo = samples[64] - pulses[1]  # Where all shots cross DC.
    assert echo == pytest.approx(asked.definitions["TE"], abs=1e-8)
    labels = asked.evaluate_labels(evolution="adc")["LIN"]
    assert labels.tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="`te`. Expected at least"):
        trajectory_sequence(curves, te=1)


@pytest.mark.parametrize(
    "value", [1.0, -123456.7, 0.0, 9.9999999e5, 3406198.28]
)
def test_round_up(value):
    rounded = round_up(value)
    assert rounded == float(f"{rounded:.6g}")
    assert abs(value) <= abs(rounded) <= abs(value) * (1 + 1e-5)


@pytest.mark.parametrize(
    "change, options, message",
    [
        (
            {},
            {"hardware": Hardware(3, 180)},
            "(?s)hardware can run.*shot 1, sample",
        ),
        ({}, {"hardware": "x"}, "hardware.*clinical"),
        ({}, {"flip_angle": 0}, "flip_angle"),
        ({}, {"slice_thickness": -1}, "slice_thickness"),
        ({}, {"dummy_scans": -1}, "dummy_scans"),
        ({}, {"bandwidth": 1}, "bandwidth"),
        ({"dwell": None}, {}, "dwell.*Pulseq"),
        ({"dwell": 1.5e-5}, {}, "dwell.*multiple"),
        ({"field_of_view": None}, {}, "field_of_view.*Pulseq"),
    ],
)
def test_what_cannot_be_written(tmp_path, curves, change, options, message):
    path = tmp_path / "scan.seq"
    with pytest.raises(ValueError, match=message):
        save_trajectory(curves.replace(**change), path, **options)
    assert not path.exists()


def test_volumes_and_other_suffixes(tmp_path, curves):
    sizes = {"matrix": (9, 9, 9), "field_of_view": (99, 99, 99), "dwell": 1e-5}
    volume = Trajectory(cones(2, 20, turns=1).positions, **sizes)
    with pytest.raises(ValueError, match="two axes"):
        trajectory_sequence(volume)
    with pytest.raises(ValueError, match="ends in '.seq'"):
        save_trajectory(curves, tmp_path / "scan.txt", format="pulseq")


def test_files_that_are_damaged(tmp_path, curves):
    path = tmp_path / "scan.seq"
    curves.save(path)
    text = path.read_text()
    path.write_text(text.replace("TrajectoryShots 4", "TrajectoryShots 5"))
    with pytest.raises(ValueError, match="scan.seq.*md5"):
        load_trajectory(path)
    path.write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match="scan.seq"):
        load_trajectory(path)
