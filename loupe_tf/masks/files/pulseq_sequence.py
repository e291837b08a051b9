"""Acquire what a mask chooses with Pulseq (Layton et al., MRM 77, 2017)."""

import copy
import dataclasses
import functools
import math

import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.files.common import with_sizes
from loupe_tf.masks.files.pulseq_events import (
    SPOILING,
    demands,
    events_of,
    import_pypulseq,
    rounded,
    system_of,
    wait,
)
from loupe_tf.masks.files.pulseq_plan import plan_of
from loupe_tf.masks.files.steady_state import usual_dummy_scans


def pulseq_sequence(
    mask,
    order="linear",
    seed=0,
    matrix=None,
    field_of_view=None,
    slice_thickness=None,
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
    readout=None,
):
    """Make a spoiled gradient-echo protocol that acquires a mask.

    The protocol has one excitation for each line of a 2-D scan, or for each
    point of a 3-D scan: a sinc pulse of 2 ms, a phase encoding of
    `(i - N // 2) / field of view`, a read-out whose sample `n // 2` of `n` is
    at 0, phase rewinding, and gradient and RF spoiling. `x` is the read-out.

    Lines are those of one slice: `y` is the phase encoding and `z` the slice.
    Each read-out has the label `LIN`, the index of its line. Columns are read
    out along `H`, rows along `W`.

    Points are those of one slab, which is selected along `z`. `y` encodes `H`
    and `z` encodes `W`; the read-out is the axis that the mask does not have.
    Each read-out has the labels `LIN`, the row of its point, and `PAR`, the
    column.

    Args:
        mask: `SamplingMask` that acquires something.
        order, seed: See `loupe_tf.masks.acquisition_order`.
        matrix: (Optional) size `(H, W)` of k-space, by default that of the
            mask.
        field_of_view: (Optional) size `(H, W)` in mm, by default that of the
            mask. Required if the mask has none.
        slice_thickness: (Optional) positive float, in mm, of the slice or the
            slab. Defaults to 5 for lines, and to the field of view along `W`
            for points. The profile of the pulse has no sharp edges: what it
            excites outside the field of view folds in at the other edge.
        te: (Optional) echo time in ms, from the centre of the pulse to the
            sample at 0. Defaults to the shortest possible.
        tr: (Optional) repetition time in ms. Defaults to the shortest
            possible.
        flip_angle: Float above 0 and up to 180, in degrees.
        bandwidth: Positive float, receiver bandwidth in Hz per pixel.
        dummy_scans: (Optional) non-negative integer, number of repetitions
            without receiving, before the first line or point. Defaults to as
            many as bring its signal within 2 % of the steady state, for a T1
            of 1 s and ideal spoiling.
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
        readout: `(samples, mm)`, the number of samples and the field of view
            along the read-out. Required for points, and `None` for lines, whose
            read-out is an axis of the mask.

    Returns:
        A `pypulseq.Sequence` whose timing is checked. TE and TR are rounded up
        to the gradient raster, the dwell time of the receiver is rounded to its
        raster, 100 ns; the definitions hold the rounded values.

    Raises:
        ImportError: If the package `pypulseq` is missing.
        ValueError: If the mask is empty, if an argument is missing or invalid,
            or if the protocol exceeds the limits of the scanner. The
            message then gives the possible values.
    """
    pp = import_pypulseq()
    mask = with_sizes(mask, matrix=matrix, field_of_view=field_of_view)
    if not mask.acquired:
        raise invalid(
            "mask", "one that acquires something", found="an empty mask"
        )
    check_number("flip_angle", flip_angle, above=0, at_most=180)
    check_number("bandwidth", bandwidth, above=0)
    if dummy_scans is not None:
        check_integer("dummy_scans", dummy_scans, at_least=0)
    entries = acquisition_order(mask, order, seed).reshape(mask.acquired, -1)
    limits = "raster" if system is None else "system"
    if system is None:
        system = system_of(pp, max_gradient, max_slew, raster)
    plan = plan_of(mask, readout, slice_thickness, oversampling)
    events = events_of(pp, system, plan, flip_angle, bandwidth)
    timing = _timing(pp, system, plan, events, te, tr)
    if dummy_scans is None:
        dummy_scans = usual_dummy_scans(timing.tr, flip_angle)
    sequence = _assemble(pp, system, plan, events, timing, entries, dummy_scans)
    _check_timing(sequence, limits)
    definitions = {
        "Name": "loupe_tf_gre",
        "TE": timing.te,
        "TR": timing.tr,
        "FlipAngle": flip_angle,
        "Dwell": events.receiver.dwell,
        "Bandwidth": rounded(1 / (plan.received * events.receiver.dwell)),
        "ReadoutOversamplingFactor": oversampling,
        "DummyScans": dummy_scans,
        "Order": order,
        **demands(system, *_peaks(sequence)),
        **_definitions_of(mask, plan),
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


def _assemble(pp, system, plan, events, timing, entries, dummy_scans):
    """Assemble all repetitions; dummy scans come first, without receiver."""
    sequence = pp.Sequence(system)
    before = _gradients(pp, sequence, plan, events.before, 1)
    behind = _gradients(pp, sequence, plan, events.behind, -1)
    excite, receive = _with_phases(sequence, events)
    label = _labels(pp, sequence, plan)
    waits = {
        name: pp.make_delay(getattr(timing, name))
        for name in ("before", "reading", "behind")
    }
    angle = increment = 0.0
    dummies = [entries[0].tolist()] * dummy_scans
    for repetition, steps in enumerate(dummies + entries.tolist()):
        sequence.add_block(excite(angle), events.selection)
        sequence.add_block(*before(steps), waits["before"])
        if repetition < dummy_scans:
            sequence.add_block(events.readout, waits["reading"])
        else:
            sequence.add_block(events.readout, receive(angle), *label(steps))
        sequence.add_block(*behind(steps), waits["behind"])
        increment = (increment + SPOILING) % 360
        angle = (angle + increment) % 360
    return sequence


# Thousands of points share a few hundred events. Each is made and compared with
# the others once, since that takes longer than a repetition.


def _gradients(pp, sequence, plan, lobes, sign):
    """Return a function of the steps of an entry that gives its gradients."""

    @functools.cache
    def gradient(axis, step):
        event = lobes.largest[axis]
        if step is not None:
            event = lobes.at(pp, axis, sign * plan.encodings[axis].at(step))
        event.id = sequence.register_grad_event(event)
        return event

    def gradients(steps):
        steps = dict(zip(plan.encodings, steps))
        return [gradient(axis, steps.get(axis)) for axis in lobes.largest]

    return gradients


def _with_phases(sequence, events):
    """Return functions of the phase in degrees, for pulse and receiver."""

    def at(event, register):
        @functools.cache
        def made(angle):
            own = copy.copy(event)
            own.phase_offset = math.radians(angle)
            own.id, _ = register(own)
            return own

        return made

    return (
        at(events.pulse, sequence.register_rf_event),
        at(events.receiver, sequence.register_adc_event),
    )


def _labels(pp, sequence, plan):
    """Return a function of the steps of an entry that gives its labels."""

    @functools.cache
    def label(axis, step):
        name = plan.encodings[axis].label
        event = pp.make_label(label=name, type="SET", value=step)
        event.id = sequence.register_label_event(event)
        return event

    return lambda steps: map(label, plan.encodings, steps)


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


def _definitions_of(mask, plan):
    """Return the sizes, and the metadata of the mask that fit in the file."""
    view = [encoding.view for encoding in plan.encodings.values()]
    calibration = mask.calibration or 0
    if mask.lines:
        sizes = {"FOV": [plan.read_view, *view, plan.thickness]}
    else:
        sizes = {
            "FOV": [plan.read_view, *view],
            "SlabThickness": plan.thickness,
            "ReadoutSamples": plan.samples,
        }
    definitions = {
        **sizes,
        "MaskAxis": mask.lines or "points",
        "MaskMatrix": list(mask.matrix),
        "MaskAcquired": mask.acquired,
        "MaskAcceleration": mask.acceleration,
        "MaskCalibration": (
            list(calibration) if np.ndim(calibration) else calibration
        ),
    }
    if mask.slope is not None:
        definitions["MaskSlope"] = mask.slope
    if mask.provenance.get("weights_sha256"):
        digest = mask.provenance["weights_sha256"]
        definitions["MaskModel"] = f"sha256:{digest}"
    return definitions


def _duration(pp, lobes):
    return max(map(pp.calc_duration, lobes.largest.values()))
