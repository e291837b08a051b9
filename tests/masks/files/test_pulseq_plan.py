"""Points of a 3-D scan as Pulseq protocols; lines: test_pulseq_sequence.py."""

import numpy as np
import pytest

from loupe_tf.formats import load_mask, pulseq_sequence, save_mask
from loupe_tf.masks import (
    SamplingMask,
    acquisition_order,
    equispaced_lines,
    gaussian,
)
from loupe_tf.masks.acquisition_order import ORDERS
from loupe_tf.masks.files.steady_state import repetitions_within

pp = pytest.importorskip("pypulseq")

VIEW = (240.0, 190.5)
READOUT = (24, 250)


def points(shape=(16, 20), **changes):
    mask = gaussian(shape, 4, 4, std=0.3, seed=1)
    return mask.replace(**{"field_of_view": VIEW, **changes})


@pytest.mark.parametrize("shape", [(16, 20), (17, 13), (13, 18)])
@pytest.mark.parametrize("readout", [(24, 250), (15, 300.5)])
@pytest.mark.parametrize("version", ["1.5", "1.4"])
def test_positions_in_kspace_are_the_points(tmp_path, shape, readout, version):
    path = tmp_path / "scan.seq"
    mask = points(shape)
    save_mask(
        mask, path, readout=readout, order="smooth", version=version,
        dummy_scans=3,
    )  # fmt: skip
    sequence = pp.Sequence()
    sequence.read(str(path))
    correct, errors = sequence.check_timing()
    assert correct, errors
    samples, along = 2 * readout[0], readout[1] / 1000
    kspace = sequence.calculate_kspace()[0].reshape(3, -1, samples)
    expected = acquisition_order(mask, "smooth")
    # One excitation for each point.
    assert len(expected) == mask.acquired == kspace.shape[1]
    for axis in (0, 1):
        steps = kspace[1 + axis] * VIEW[axis] / 1000 + shape[axis] // 2
        found = np.broadcast_to(expected[:, axis, None], steps.shape)
        np.testing.assert_allclose(steps, found, atol=2e-3)
    found = np.rint(kspace[1:, :, 0].T * np.array(VIEW) / 1000).astype(int)
    rows, columns = (found + np.array(shape) // 2).T
    acquired = np.zeros(shape, int)
    np.add.at(acquired, (rows, columns), 1)
    np.testing.assert_array_equal(acquired, mask.array)
    # Each read-out has its echo at n // 2, of twice the field of view.
    steps = 2 * kspace[0] * along + samples // 2
    exact = np.broadcast_to(np.arange(samples), steps.shape)
    np.testing.assert_allclose(steps, exact, atol=2e-3)
    labels = sequence.evaluate_labels(evolution="adc")
    found = np.stack([labels["LIN"], labels["PAR"]], axis=1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", [(16, 20), (17, 13)])
def test_round_trip(tmp_path, order, shape):
    path = tmp_path / "scan.seq"
    for calibration in (None, 3, (4, 2)):
        mask = points(shape, calibration=calibration, slope=2.5)
        save_mask(mask, path, order=order, seed=3, readout=READOUT)
        found = load_mask(path)
        # A file has six digits.
        assert found.acceleration == pytest.approx(mask.acceleration, rel=1e-5)
        found = found.replace(acceleration=mask.acceleration)
        view = pytest.approx(mask.field_of_view)
        assert found.field_of_view == view
        found = found.replace(field_of_view=mask.field_of_view)
        assert found == mask.replace(provenance={})


def test_times():
    mask = points()
    steady = pulseq_sequence(mask, readout=READOUT)
    shortest = steady.definitions
    asked = pulseq_sequence(
        mask, readout=READOUT, te=6, tr=16, dummy_scans=3, flip_angle=10
    )
    assert asked.definitions["TE"] == pytest.approx(6e-3, abs=1e-5)
    assert asked.definitions["TR"] == pytest.approx(16e-3, abs=1e-5)
    assert shortest["TE"] < 6e-3 and shortest["TR"] < 16e-3
    duration = sum(asked.block_durations.values())
    repetitions = mask.acquired + 3
    assert duration == pytest.approx(repetitions * asked.definitions["TR"])
    dummies = repetitions_within(0.02, 1000 * shortest["TR"], 15, 1000)
    assert shortest["DummyScans"] == dummies > 50
    _, _, pulses, _, samples = asked.calculate_kspace()
    assert len(pulses) == repetitions and len(samples) == 48 * mask.acquired
    np.testing.assert_allclose(
        np.diff(pulses), asked.definitions["TR"], atol=1e-8
    )
    echo = samples[24] - pulses[3]
    assert echo == pytest.approx(asked.definitions["TE"], abs=1e-8)
    with pytest.raises(ValueError, match="`te`. Expected at least"):
        pulseq_sequence(mask, readout=READOUT, te=1)


def test_encodings_are_rewound():
    """From pulse to pulse, the gradients have the same area on each axis."""
    sequence = pulseq_sequence(
        points(), readout=READOUT, order="shuffled", dummy_scans=0
    )
    areas = {axis: [] for axis in "xyz"}
    for first in range(1, len(sequence.block_events), 4):
        blocks = [sequence.get_block(first + i) for i in range(4)]
        for axis, found in areas.items():
            events = [getattr(block, f"g{axis}") for block in blocks]
            found.append(sum(e.area for e in events if e is not None))
    for axis, found in areas.items():
        assert np.ptp(found) < 1e-2, axis  # in 1/m
    assert abs(areas["y"][0]) < 1e-2
    # Spoiled by two cycles across a pixel, after half a read-out.
    pixel = READOUT[1] / 1000 / READOUT[0]
    assert areas["x"][0] * pixel > 1.9
    phases = [sequence.get_block(i).rf.phase_offset for i in (1, 5, 9)]
    np.testing.assert_allclose(np.degrees(phases), [0, 117, 351], atol=1e-4)
    reads = [sequence.get_block(i).adc.phase_offset for i in (3, 7, 11)]
    np.testing.assert_allclose(reads, phases)


def test_limits_of_the_gradients():
    """A weaker system keeps its limits on an oblique axis, too."""
    mask, limits = points((32, 40)), {"max_gradient": 10, "max_slew": 40}
    weak = pulseq_sequence(mask, readout=(48, 200), **limits)
    strong = pulseq_sequence(mask, readout=(48, 200))
    assert weak.definitions["TE"] > strong.definitions["TE"]
    tesla = 1 / weak.system.gamma
    peaks = []
    for block in map(weak.get_block, weak.block_events):
        events = [e for e in (block.gx, block.gy, block.gz) if e is not None]
        vector = [abs(e.amplitude) for e in events]
        slews = [
            abs(e.amplitude) / min(e.rise_time, e.fall_time) for e in events
        ]
        peaks.append([np.linalg.norm(vector), np.linalg.norm(slews)])
    gradient, slew = np.max(peaks, axis=0) * tesla
    assert 7 < 1000 * gradient <= 10 * (1 + 1e-6)
    assert 35 < slew <= 40 * (1 + 1e-6)
    said = [weak.definitions[name] for name in ("PeakGradient", "PeakSlew")]
    assert said == pytest.approx([1000 * gradient, slew], rel=1e-5)


def test_the_slab():
    """It is as thick as the field of view along W, unless told otherwise."""
    usual = pulseq_sequence(points(), readout=READOUT, dummy_scans=0)
    thin = pulseq_sequence(
        points(), readout=READOUT, dummy_scans=0, slice_thickness=100
    )
    for sequence, metres in ((usual, 0.1905), (thin, 0.1)):
        assert sequence.definitions["SlabThickness"] == pytest.approx(metres)
        assert sequence.definitions["FOV"] == pytest.approx(
            [0.25, 0.24, 0.1905]
        )
        block = sequence.get_block(1)
        pulse, amplitude = block.rf, block.gz.amplitude
        time = pulse.t - pulse.t.mean()
        places = metres * np.array([0, 0.35, 0.5, 0.65, 1])
        phases = np.exp(2j * np.pi * amplitude * np.outer(places, time))
        # That of small flip angles.
        profile = np.abs(phases @ pulse.signal)
        profile /= profile[0]
        assert profile[1] > 0.9 and profile[2] == pytest.approx(0.5, abs=0.05)
        assert profile[3:].max() < 0.06


def test_oversampling_and_bandwidth(tmp_path):
    path = tmp_path / "scan.seq"
    for factor in (1, 3):
        save_mask(
            points(), path, readout=READOUT, oversampling=factor, bandwidth=400
        )
        sequence = pp.Sequence()
        sequence.read(str(path))
        assert sequence.get_block(
            len(sequence.block_events) - 1
        ).adc.num_samples == (24 * factor)
        dwell = sequence.definitions["Dwell"]
        assert 1 / (24 * factor * dwell) == pytest.approx(400, rel=0.01)
        assert (load_mask(path).array == points().array).all()


@pytest.mark.parametrize(
    "readout",
    [None, 256, (256,), (0, 256), (25.5, 256), (24, 0), (24, "a"), (1, 2, 3)],
)
def test_points_need_a_readout(readout):
    message = r"`readout`. Expected \(samples, mm\) of the read-out.*--readout"
    with pytest.raises(ValueError, match=message):
        pulseq_sequence(points(), readout=readout)


@pytest.mark.parametrize(
    "name, value",
    [
        ("slice_thickness", 0),
        ("oversampling", 0),
        ("bandwidth", 1e6),
        ("matrix", (8, 8)),
        ("field_of_view", 256),
        ("order", "spiral"),
        ("max_slew", 0),
        ("dummy_scans", -1),
    ],
)
def test_refuses_arguments(name, value):
    with pytest.raises(ValueError, match=f"`{name}`. Expected"):
        pulseq_sequence(points(), readout=READOUT, **{name: value})


def test_lines_take_no_readout():
    mask = equispaced_lines((16, 16), 4).replace(field_of_view=VIEW)
    with pytest.raises(ValueError, match="`readout`. Expected None for a mask"):
        pulseq_sequence(mask, readout=READOUT)


def test_nothing_to_acquire():
    mask = SamplingMask(np.zeros((3, 4)), field_of_view=VIEW)
    with pytest.raises(ValueError, match="`mask`. Expected one that acquires"):
        pulseq_sequence(mask, readout=READOUT)
