import numpy as np
import pytest

from loupe_tf.formats import load_mask, pulseq_sequence, save_mask
from loupe_tf.masks import (
    SamplingMask,
    acquisition_order,
    equispaced_lines,
    random_lines,
)
from loupe_tf.masks.files.steady_state import repetitions_within

pp = pytest.importorskip("pypulseq")


@pytest.mark.parametrize("shape", [(32, 40), (33, 41), (30, 37)])
@pytest.mark.parametrize("lines", ["columns", "rows"])
@pytest.mark.parametrize("order", ["linear", "smooth"])
def test_positions_in_kspace_are_the_lines(tmp_path, shape, lines, order):
    path = tmp_path / "scan.seq"
    mask = random_lines(shape, 3.3, 4, lines=lines, seed=3).replace(
        field_of_view=(240, 200)
    )
    mask = mask.replace(field_of_view=(240.0, 190.5))
    save_mask(mask, path, order=order)

    sequence = pp.Sequence()
    sequence.read(str(path))
    correct, errors = sequence.check_timing()
    assert correct, errors
    readout, phase = (0, 1) if lines == "columns" else (1, 0)
    samples = 2 * shape[readout]
    view = [size / 1000 for size in mask.field_of_view]
    kspace = sequence.calculate_kspace()[0].reshape(3, -1, samples)
    steps = kspace[1, :, 0] * view[phase] + shape[phase] // 2
    expected = acquisition_order(mask, order)
    np.testing.assert_allclose(steps, expected, atol=2e-3)
    # Straight, and each sample where the matrix has it.
    np.testing.assert_allclose(np.ptp(kspace[1], axis=1), 0, atol=1e-6)
    # The receiver sees twice the field of view.
    along = 2 * kspace[0] * view[readout] + samples // 2
    exact = np.broadcast_to(np.arange(samples), along.shape)
    np.testing.assert_allclose(along, exact, atol=2e-3)
    # Refocused along the slice: 0.1 % of a turn across it.
    assert np.abs(kspace[2]).max() * 0.005 < 1e-3


def test_times():
    mask = random_lines((64, 48), 4, 4).replace(field_of_view=(240, 200))
    steady = pulseq_sequence(mask)
    shortest = steady.definitions
    asked = pulseq_sequence(mask, te=6, tr=14, dummy_scans=3)
    assert asked.definitions["TE"] == pytest.approx(6e-3, abs=1e-5)
    assert asked.definitions["TR"] == pytest.approx(14e-3, abs=1e-5)
    assert shortest["TE"] < 6e-3 and shortest["TR"] < 14e-3
    duration = sum(asked.block_durations.values())
    assert duration == pytest.approx((12 + 3) * asked.definitions["TR"])
    # By default, the first line is in the steady state.
    dummies = repetitions_within(0.02, 1000 * shortest["TR"], 15, 1000)
    assert shortest["DummyScans"] == dummies > 50
    assert len(steady.block_events) == 4 * (dummies + 12)
    _, _, pulses, _, samples = asked.calculate_kspace()
    assert len(pulses) == 15 and len(samples) == 12 * 128
    # From the centre of the pulse to sample n // 2 of the first line.
    echo = samples[64] - pulses[3]
    assert echo == pytest.approx(asked.definitions["TE"], abs=1e-8)


@pytest.mark.parametrize("name", ["te", "tr"])
def test_times_that_are_too_short(name):
    mask = random_lines((64, 48), 4, 4).replace(field_of_view=(240, 200))
    with pytest.raises(ValueError, match=f"`{name}`. Expected at least") as e:
        pulseq_sequence(mask, **{name: 1.0})
    least = float(str(e.value).split("at least ")[1].split()[0])
    assert pulseq_sequence(mask, **{name: least})


def test_bandwidth_and_angle():
    mask = random_lines((64, 48), 4, 4).replace(field_of_view=(240, 200))
    wide, narrow = (pulseq_sequence(mask, bandwidth=b) for b in (500, 125))
    for sequence, expected in ((wide, 500), (narrow, 125)):
        dwell = sequence.definitions["Dwell"]
        assert 1 / (128 * dwell) == pytest.approx(expected, rel=0.01)
    with pytest.raises(ValueError, match="`bandwidth`. Expected at most") as e:
        pulseq_sequence(mask, bandwidth=1e5)
    most = float(str(e.value).split("at most ")[1].split()[0])
    assert pulseq_sequence(mask, bandwidth=0.98 * most)
    pulses = [
        pulseq_sequence(mask, flip_angle=a).get_block(1).rf for a in (10, 20)
    ]
    signals = [np.abs(pulse.signal).max() for pulse in pulses]
    assert signals[1] == pytest.approx(2 * signals[0], rel=1e-3)


def test_labels_and_spoiling():
    mask = SamplingMask([[1, 0, 1, 1]], matrix=(8, 4), field_of_view=(240, 200))
    sequence = pulseq_sequence(mask, order="centre_out", dummy_scans=0)
    labels = sequence.evaluate_labels(evolution="adc")["LIN"]
    assert labels.tolist() == [2, 3, 0]
    phases = [
        (sequence.get_block(i).rf.phase_offset, block.adc.phase_offset)
        for i, block in ((1, sequence.get_block(3)), (5, sequence.get_block(7)))
    ]
    np.testing.assert_allclose(np.degrees(phases), [[0, 0], [117, 117]])


def test_system():
    slow = pp.Opts(
        max_grad=10, grad_unit="mT/m", max_slew=40, slew_unit="T/m/s"
    )
    mask = equispaced_lines((64, 64), 4).replace(field_of_view=(240, 200))
    weak = pulseq_sequence(mask, system=slow).definitions
    assert weak["TE"] > pulseq_sequence(mask).definitions["TE"]
    with pytest.raises(
        ValueError, match="`slice_thickness`. Expected a slice that"
    ):
        pulseq_sequence(mask, slice_thickness=0.01)


def test_limits_of_the_gradients():
    """A weaker system keeps its limits, and takes longer."""
    mask = equispaced_lines((64, 64), 4).replace(field_of_view=(240, 200))
    limits = {"max_gradient": 10, "max_slew": 40}
    weak = pulseq_sequence(mask, **limits)
    assert weak.definitions["TE"] > pulseq_sequence(mask).definitions["TE"]
    gamma = 42.576e6
    vectors = []
    for block in map(weak.get_block, weak.block_events):
        vectors.append(
            [
                1e3 * abs(event.amplitude) / gamma
                for event in (block.gx, block.gy, block.gz)
                if event is not None
            ]
        )
        for event in (block.gx, block.gy, block.gz):
            if event is None:
                continue
            millitesla = 1e3 * abs(event.amplitude) / gamma
            assert millitesla <= 10 * (1 + 1e-6)
            shortest = min(event.rise_time, event.fall_time)
            assert millitesla / shortest / 1e3 <= 40 * (1 + 1e-6)
    # Three axes at once: an oblique slice may add them on one physical axis.
    assert 8 < max(map(np.linalg.norm, vectors)) <= 10 * (1 + 1e-6)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("samples", [64, 33])
def test_oversampling(tmp_path, factor, samples):
    """More samples of the same line: the same gradients, a shorter dwell."""
    mask = equispaced_lines((samples, 48), 4).replace(field_of_view=(240, 200))
    options = {"dummy_scans": 0, "bandwidth": 300}
    once, often = (
        pulseq_sequence(mask, oversampling=n, **options) for n in (1, factor)
    )
    assert often.definitions["ReadoutOversamplingFactor"] == factor
    dwell = often.definitions["Dwell"]
    # Pulseq's raster of the receiver is 100 ns.
    assert dwell / 1e-7 == pytest.approx(round(dwell / 1e-7), abs=1e-6)
    expected = once.definitions["Dwell"] / factor
    assert dwell == pytest.approx(expected, abs=0.51e-7)
    first, finer = (
        s.calculate_kspace()[0][0].reshape(12, -1) for s in (once, often)
    )
    assert finer.shape[1] == factor * samples
    # Both have DC at n // 2, and reach as far.
    assert np.abs(finer[:, finer.shape[1] // 2]).max() < 1e-3
    np.testing.assert_allclose(
        np.diff(finer), np.diff(first)[0, 0] / factor, rtol=1e-4
    )
    path = tmp_path / "scan.seq"
    save_mask(mask, path, oversampling=factor, **options)
    assert load_mask(path) == mask.replace(provenance={})


def test_raster():
    """The receiver's dead time fits into a ramp of a finer raster."""
    mask = equispaced_lines((64, 64), 4).replace(field_of_view=(240, 200))
    fine = pulseq_sequence(mask, raster=4e-6, bandwidth=20, dummy_scans=0)
    block = fine.get_block(3)
    assert block.adc.delay == block.gx.rise_time == pytest.approx(12e-6)
    along = fine.calculate_kspace()[0][0].reshape(16, -1) * 0.48
    np.testing.assert_allclose(along[0], np.arange(-64, 64), atol=2e-3)


@pytest.mark.parametrize(
    "name, value",
    [
        ("te", 0),
        ("max_gradient", 0),
        ("max_slew", -1),
        ("raster", 0),
        ("oversampling", 0),
        ("oversampling", 1.5),
        ("tr", "10"),
        ("flip_angle", -1),
        ("bandwidth", np.inf),
        ("slice_thickness", True),
        ("dummy_scans", -1),
        ("dummy_scans", 1.5),
        ("order", "spiral"),
        ("field_of_view", 256),
    ],
)
def test_refuses_arguments(name, value):
    with pytest.raises(ValueError, match=f"`{name}`. Expected"):
        pulseq_sequence(
            random_lines((16, 16), 4, 2).replace(field_of_view=(240, 200)),
            **{name: value},
        )


def test_nothing_to_acquire():
    with pytest.raises(ValueError, match="`mask`. Expected one that acquires"):
        pulseq_sequence(
            SamplingMask(
                np.zeros((1, 3)), matrix=(4, 3), field_of_view=(240, 200)
            )
        )


def test_a_raster_that_dead_times_do_not_fit_is_named():
    mask = equispaced_lines((64, 64), 4).replace(field_of_view=(240, 200))
    with pytest.raises(ValueError, match="`raster`.*timing"):
        pulseq_sequence(mask, raster=6.4e-6)
