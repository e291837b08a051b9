"""Acquire the shots of a trajectory with Pulseq (Layton et al., MRM, 2017)."""

import math

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.files.pulseq_events import (
    SPOILING,
    excitation,
    import_pypulseq,
    rounded,
    share_before,
    wait,
)
from loupe_tf.masks.files.steady_state import usual_dummy_scans
from loupe_tf.trajectories.files.common import check_known
from loupe_tf.trajectories.files.pulseq_shots import PulseqShots
from loupe_tf.trajectories.hardware import Hardware, standardize_hardware

# Where the trajectory's own hardware is unknown.
ANY_SCANNER = "clinical"


def trajectory_sequence(
    trajectory,
    hardware=None,
    slice_thickness=5.0,
    te=None,
    tr=None,
    flip_angle=15.0,
    dummy_scans=None,
):
    """Make a spoiled gradient-echo protocol that acquires a trajectory.

    The protocol acquires one slice, with one excitation for each shot: a sinc
    pulse of 2 ms, gradients that prepare the first sample, the shot with its
    ramps, and gradients that go back to DC and spoil. `x` is the axis W, `y`
    the axis H, `z` the slice. The gradients of a shot are linear between nodes
    halfway between samples, so that all samples are exactly at their positions.

    Args:
        trajectory: `Trajectory` of two axes with `matrix`, `field_of_view` and
            `dwell`.
        hardware: (Optional) `Hardware`, or one of the names of `HARDWARE`. By
            default the one that `sparkling` made the trajectory for, else
            `"clinical"`.
        slice_thickness: Positive float, in mm.
        te: (Optional) echo time in ms, from the centre of the pulse to the
            sample that is nearest to DC on average. Defaults to the shortest.
        tr: (Optional) repetition time in ms. Defaults to the shortest.
        flip_angle: Positive float, in degrees.
        dummy_scans: (Optional) non-negative integer, number of repetitions
            without receiving, before the first shot. Defaults to as many as
            bring the first shot within 2 % of the steady state, for a T1 of 1 s
            and ideal spoiling.

    Returns:
        A `pypulseq.Sequence` whose timing is checked.

    Raises:
        ImportError: If the package `pypulseq` is missing.
        ValueError: If the trajectory breaks a limit of the hardware, lacks a
            size, or if another argument is invalid.
    """
    pp = import_pypulseq()
    for name in ("matrix", "field_of_view", "dwell"):
        check_known(name, getattr(trajectory, name), "a Pulseq protocol")
    if trajectory.axes != 2:
        raise invalid(
            "trajectory", "one of two axes", found=f"{trajectory.axes} axes"
        )
    check_number("slice_thickness", slice_thickness, above=0)
    check_number("flip_angle", flip_angle, above=0)
    if dummy_scans is not None:
        check_integer("dummy_scans", dummy_scans, at_least=0)
    if hardware is None:
        found = trajectory.provenance.get("hardware", ANY_SCANNER)
        hardware = Hardware(**found) if isinstance(found, dict) else found
    hardware = standardize_hardware(hardware)
    report = hardware.check(trajectory)
    if not report.ok:
        raise invalid(
            "trajectory", "one that the hardware can run", found=str(report)
        )
    system = _system(pp, hardware)
    shots = PulseqShots(pp, system, hardware, trajectory)
    pulse, selection = excitation(
        pp, system, flip_angle, slice_thickness / 1000
    )
    after = selection.area * (1 - share_before(pp, pulse, selection))
    before = shots.lobes(shots.first, -after)
    behind = shots.lobes(-shots.last, 4000 / slice_thickness)
    raster = system.block_duration_raster
    centre = pulse.delay + pp.calc_rf_center(pulse)[0]
    lasts = pp.calc_duration(pulse, selection)
    lead = pp.calc_duration(*before[0])
    shortest = lasts - centre + lead + shots.echo
    lead += wait("te", te, shortest, raster)
    te = shortest + lead - pp.calc_duration(*before[0])
    shortest = lasts + lead + shots.duration + pp.calc_duration(*behind[0])
    tail = pp.calc_duration(*behind[0]) + wait("tr", tr, shortest, raster)
    tr = shortest + tail - pp.calc_duration(*behind[0])
    if dummy_scans is None:
        dummy_scans = usual_dummy_scans(tr, flip_angle)

    sequence = pp.Sequence(system)
    angle = increment = 0.0
    order = [0] * dummy_scans + list(range(trajectory.shots))
    for repetition, shot in enumerate(order):
        receiver = shots.receiver
        pulse.phase_offset = receiver.phase_offset = math.radians(angle)
        increment = (increment + SPOILING) % 360
        angle = (angle + increment) % 360
        sequence.add_block(pulse, selection)
        sequence.add_block(*before[shot], pp.make_delay(lead))
        events = shots.gradients(shot)
        if repetition >= dummy_scans:
            label = pp.make_label(label="LIN", type="SET", value=shot)
            events += [receiver, label]
        sequence.add_block(*events, pp.make_delay(shots.duration))
        sequence.add_block(*behind[shot], pp.make_delay(tail))
    correct, errors = sequence.check_timing()
    if not correct:
        raise invalid(
            "hardware",
            "rasters that the protocol meets",
            found=f"{len(errors)} timing errors. The first one is {errors[0]}",
        )
    views = [mm / 1000 for mm in trajectory.field_of_view[::-1]]
    definitions = {
        "Name": "loupe_tf_trajectory",
        "FOV": [*views, slice_thickness / 1000],
        "TE": te,
        "TR": tr,
        "FlipAngle": flip_angle,
        "Dwell": trajectory.dwell,
        "DummyScans": dummy_scans,
        "PeakGradient": rounded(report.gradient.max()),
        "PeakSlew": rounded(report.slew.max()),
        "MaxGradient": hardware.max_gradient,
        "MaxSlew": hardware.max_slew,
        **_trajectory_definitions(trajectory),
    }
    for name, value in definitions.items():
        sequence.set_definition(name, value)
    return sequence


def _system(pp, hardware):
    return pp.Opts(
        max_grad=hardware.max_gradient,
        grad_unit="mT/m",
        max_slew=hardware.max_slew,
        slew_unit="T/m/s",
        grad_raster_time=hardware.raster,
        block_duration_raster=hardware.raster,
        gamma=hardware.gamma,
        rf_ringdown_time=20e-6,
        rf_dead_time=100e-6,
        adc_dead_time=10e-6,
    )


def _trajectory_definitions(trajectory):
    """Return the metadata of the trajectory that fit in a `.seq` file."""
    definitions = {
        "TrajectoryMatrix": list(trajectory.matrix),
        "TrajectoryShots": trajectory.shots,
        "TrajectorySamples": trajectory.samples,
    }
    pattern = trajectory.provenance.get("pattern")
    if pattern is not None:
        definitions["TrajectoryPattern"] = str(pattern)[:64]
    digest = trajectory.provenance.get("weights_sha256")
    if digest:
        definitions["TrajectoryModel"] = f"sha256:{digest}"
    return definitions
