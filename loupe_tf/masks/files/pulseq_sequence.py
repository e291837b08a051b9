"""Acquire the lines of a mask with Pulseq (Layton et al., MRM 77, 2017)."""

import dataclasses
import math

import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.files.common import check_lines, with_sizes
from loupe_tf.masks.files.pulseq_events import (
    SPOILING,
    demands,
    events_of,
    import_pypulseq,
    plan_of,
    rounded,
    system_of,
    wait,
)
from loupe_tf.masks.files.steady_state import usual_dummy_scans


def pulseq_sequence(
    mask,
    order="linear",
    seed=0,
    matrix=None,
    field_of_view=None,
    slice_thickness=5.0,
    te=None,
    tr=None,
    flip_angle=15.0,
    bandwidth=250.0,
    dummy_scans=None,
    max_gradient=28.0,
    max_slew=150.0,
    raster=1e-5,
    system=None,
    oversampling=2,
):
    """Make a spoiled gradient-echo protocol that acquires a mask's lines.

    The protocol acquires one slice, with one excitation for each line. Line
    `i` has a sinc pulse of 2 ms, a phase encoding of
    `(i - N // 2) / field of view`, a read-out whose sample `n // 2` of `n` is
    at 0, phase rewinding, and gradient and RF spoiling. `x` is the read-out,
    `y` the phase encoding, `z` the slice. Each read-out has the label `LIN`,
    the index of its line. Columns are read out along `H`, rows along `W`.

    Args:
        mask: `SamplingMask` of lines that acquires something.
        order, seed: See `loupe_tf.masks.acquisition_order`.
        matrix: (Optional) size `(H, W)` of k-space, by default that of the
            mask.
        field_of_view: (Optional) size `(H, W)` in mm, by default that of the
            mask. Required if the mask has none.
        slice_thickness: Positive float, in mm.
        te: (Optional) echo time in ms, from the centre of the pulse to the
            sample at 0. Defaults to the shortest possible.
        tr: (Optional) repetition time in ms. Defaults to the shortest
            possible.
        flip_angle: Float above 0 and up to 180, in degrees.
        bandwidth: Positive float, receiver bandwidth in Hz per pixel.
        dummy_scans: (Optional) non-negative integer, number of repetitions
            without receiving, before the first line. Defaults to as many as
            bring the first line within 2 % of the steady state, for a T1 of 1 s
            and ideal spoiling.
        max_gradient: Positive float, the largest gradient of the scanner in
            mT/m. No physical axis has more, in any orientation of the slice:
            where all three axes of the sequence have a gradient at once, each
            has at most 1 / √3 of it.
        max_slew: Positive float, the largest slew rate of the scanner in T/m/s,
            in the same sense.
        raster: Positive float, the raster of the gradients in s.
        system: (Optional) `pypulseq.Opts`, all limits of the scanner, in the
            place of the last three. Its default has the dead times of a
            clinical system.
        oversampling: Positive integer. The receiver takes so many times the
            samples of the matrix along the read-out, and so many times the
            field of view, which a reconstruction crops. With 1, what lies
            outside the field of view folds in.

    Returns:
        A `pypulseq.Sequence` whose timing is checked. TE and TR are rounded up
        to the gradient raster, the dwell time of the receiver is rounded to its
        raster, 100 ns; the definitions hold the rounded values.

    Raises:
        ImportError: If the package `pypulseq` is missing.
        ValueError: If the mask has points or is empty, if an argument is
            invalid, or if the protocol exceeds the limits of the scanner. The
            message then gives the possible values.
    """
    pp = import_pypulseq()
    check_lines(mask, "a Pulseq protocol", "columns", "rows")
    mask = with_sizes(mask, matrix=matrix, field_of_view=field_of_view)
    if not mask.acquired:
        raise invalid(
            "mask", "one that acquires something", found="a mask without lines"
        )
    check_number("slice_thickness", slice_thickness, above=0)
    check_number("flip_angle", flip_angle, above=0, at_most=180)
    check_number("bandwidth", bandwidth, above=0)
    check_integer("oversampling", oversampling, at_least=1)
    if dummy_scans is not None:
        check_integer("dummy_scans", dummy_scans, at_least=0)
    lines = acquisition_order(mask, order, seed)
    limits = "raster" if system is None else "system"
    if system is None:
        system = system_of(pp, max_gradient, max_slew, raster)
    plan = plan_of(mask, slice_thickness, oversampling)
    events = events_of(pp, system, plan, flip_angle, bandwidth)
    timing = _timing(pp, system, plan, events, te, tr)
    if dummy_scans is None:
        dummy_scans = usual_dummy_scans(timing.tr, flip_angle)
    sequence = _assemble(pp, system, plan, events, timing, lines, dummy_scans)
    _check_timing(sequence, limits)
    definitions = {
        "Name": "loupe_tf_gre",
        "FOV": [plan.read_view, plan.phase_view, plan.thickness],
        "TE": timing.te,
        "TR": timing.tr,
        "FlipAngle": flip_angle,
        "Dwell": events.receiver.dwell,
        "Bandwidth": rounded(1 / (plan.received * events.receiver.dwell)),
        "ReadoutOversamplingFactor": oversampling,
        "DummyScans": dummy_scans,
        "Order": order,
        **demands(system, *_peaks(sequence)),
        **_mask_definitions(mask),
    }
    for name, value in definitions.items():
        sequence.set_definition(name, value)
    return sequence


@dataclasses.dataclass
class _Timing:
    """Durations of the blocks after the pulse, TE and TR, in s."""

    before: float
    reading: float
    behind: float
    te: float
    tr: float


def _timing(pp, system, plan, events, te, tr):
    raster = system.block_duration_raster
    excitation = pp.calc_duration(events.pulse, events.selection)
    before = _duration(pp, events.before)
    behind = _duration(pp, events.behind)
    reading = max(
        pp.calc_duration(events.readout), pp.calc_duration(events.receiver)
    )
    centre = events.pulse.delay + pp.calc_rf_center(events.pulse)[0]
    half = (plan.received // 2 + 0.5) * events.receiver.dwell
    echo = events.readout.rise_time + half
    shortest_te = excitation - centre + before + echo
    wait_te = wait("te", te, shortest_te, raster)
    shortest_tr = excitation + before + wait_te + reading + behind
    wait_tr = wait("tr", tr, shortest_tr, raster)
    return _Timing(
        before + wait_te,
        reading,
        behind + wait_tr,
        shortest_te + wait_te,
        shortest_tr + wait_tr,
    )


def _assemble(pp, system, plan, events, timing, lines, dummy_scans):
    """Assemble all repetitions; dummy scans come first, without receiver."""
    sequence = pp.Sequence(system)
    pulse, receiver = events.pulse, events.receiver
    angle = increment = 0.0
    dummies = [int(lines[0])] * dummy_scans
    for repetition, line in enumerate(dummies + lines.tolist()):
        pulse.phase_offset = receiver.phase_offset = math.radians(angle)
        increment = (increment + SPOILING) % 360
        angle = (angle + increment) % 360
        share = (line - plan.lines // 2) / plan.phase_view / plan.largest
        sequence.add_block(pulse, events.selection)
        sequence.add_block(
            *_scaled(pp, events.before, share), pp.make_delay(timing.before)
        )
        if repetition < dummy_scans:
            sequence.add_block(events.readout, pp.make_delay(timing.reading))
        else:
            label = pp.make_label(label="LIN", type="SET", value=line)
            sequence.add_block(events.readout, receiver, label)
        sequence.add_block(
            *_scaled(pp, events.behind, -share), pp.make_delay(timing.behind)
        )
    return sequence


def _check_timing(sequence, argument):
    """Refuse events that do not lie on the rasters.

    Args:
        sequence: `pypulseq.Sequence`.
        argument: String, the argument that has the rasters.

    Raises:
        ValueError: If one does not.
    """
    correct, errors = sequence.check_timing()
    if not correct:
        raise invalid(
            argument,
            "limits and rasters that the protocol meets",
            found=f"a protocol with {len(errors)} timing errors. The first one "
            f"is {errors[0]}",
        )


def _peaks(sequence):
    """Bound the gradient and the slew rate of a physical axis, in Hz/m (/s).

    They are those of the vector of all three axes of the sequence.
    """
    peaks = {0: (0.0, 0.0)}
    for key, event in sequence.grad_library.data.items():
        # Each is a trapezoid.
        amplitude, rise, _, fall = event[:4]
        peaks[key] = abs(amplitude), abs(amplitude) / min(rise, fall)
    together = {tuple(block[2:5]) for block in sequence.block_events.values()}
    vectors = [[peaks[key] for key in keys] for keys in together]
    return np.linalg.norm(vectors, axis=1).max(axis=0).tolist()


def _mask_definitions(mask):
    """Return the metadata of the mask that fit in a `.seq` file."""
    definitions = {
        "MaskAxis": mask.lines,
        "MaskMatrix": list(mask.matrix),
        "MaskAcquired": mask.acquired,
        "MaskAcceleration": mask.acceleration,
        "MaskCalibration": mask.calibration or 0,
    }
    if mask.slope is not None:
        definitions["MaskSlope"] = mask.slope
    if mask.provenance.get("weights_sha256"):
        digest = mask.provenance["weights_sha256"]
        definitions["MaskModel"] = f"sha256:{digest}"
    return definitions


def _duration(pp, gradients):
    return max(pp.calc_duration(gradient) for gradient in gradients.values())


def _scaled(pp, gradients, share):
    """Return the gradients with the phase encoding scaled by `share`."""
    return [
        pp.scale_grad(gradient, share) if channel == "y" else gradient
        for channel, gradient in gradients.items()
    ]
