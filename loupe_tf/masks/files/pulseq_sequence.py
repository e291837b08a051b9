"""Lines of a mask as a Pulseq protocol (Layton et al., MRM 77, 2017)."""

import dataclasses
import math

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.files.common import check_lines, with_sizes

# Quadratic phase increment of RF spoiling (Zur, Wood and Neuringer, MRM 21,
# 1991).
SPOILING = 117.0


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
    dummy_scans=16,
    system=None,
):
    """Make a spoiled gradient-echo protocol that acquires a mask's lines.

    One slice, one excitation a line: a sinc pulse of 2 ms, phase encoding of
    `(i - N // 2) / field of view` for line `i`, a read-out in which sample
    `n // 2` of `n` lies at 0, the phase encoding undone, gradient and RF
    spoiling. `x` is the read-out, `y` the phase encoding, `z` the slice. Each
    read-out has the label `LIN`, the number of its line. Columns are read out
    along `H`, rows along `W`.

    Args:
        mask: `SamplingMask` of lines that acquires something.
        order, seed: See `loupe_tf.masks.acquisition_order`.
        matrix: (Optional) size `(H, W)` of k-space, by default that of the
            mask.
        field_of_view: (Optional) size `(H, W)` in mm, by default that of the
            mask; where that does not know it, it must be given.
        slice_thickness: Positive float, in mm.
        te: (Optional) echo time in ms, from the centre of the pulse to the
            sample at 0; the shortest by default.
        tr: (Optional) repetition time in ms; the shortest by default.
        flip_angle: Positive float, in degrees.
        bandwidth: Positive float, of the receiver in Hz for a pixel.
        dummy_scans: Non-negative integer, excitations without a read-out,
            before the first line.
        system: (Optional) `pypulseq.Opts`, the limits of the scanner; by
            default 28 mT/m and 150 T/m/s, with the dead times of a clinical
            system.

    Returns:
        A `pypulseq.Sequence`, its timing checked. TE and TR are rounded up to
        the raster of the gradients; the definitions have what they are.

    Raises:
        ImportError: If the package `pypulseq` is missing.
        ValueError: If the mask is one of points or empty, an argument is
            invalid, or the scanner cannot do it; then the message says what it
            could.
    """
    pp = import_pypulseq()
    check_lines(mask, "a Pulseq protocol", "columns", "rows")
    mask = with_sizes(mask, matrix=matrix, field_of_view=field_of_view)
    if not mask.acquired:
        raise invalid(
            "mask", "one that acquires something", found="a mask of no lines"
        )
    check_number("slice_thickness", slice_thickness, above=0)
    check_number("flip_angle", flip_angle, above=0)
    check_number("bandwidth", bandwidth, above=0)
    check_integer("dummy_scans", dummy_scans, at_least=0)
    lines = acquisition_order(mask, order, seed)
    if system is None:
        system = _clinical_system(pp)
    plan = _plan(mask, slice_thickness)
    events = _events(pp, system, plan, flip_angle, bandwidth)
    timing = _timing(pp, system, plan, events, te, tr)
    sequence = _assemble(pp, system, plan, events, timing, lines, dummy_scans)
    definitions = {
        "Name": "loupe_tf_gre",
        "FOV": [plan.read_view, plan.phase_view, plan.thickness],
        "TE": timing.te,
        "TR": timing.tr,
        "FlipAngle": flip_angle,
        "Dwell": events.receiver.dwell,
        "Order": order,
        **_mask_definitions(mask),
    }
    for name, value in definitions.items():
        sequence.set_definition(name, value)
    return sequence


def import_pypulseq():
    """The package `pypulseq`, or an error that says how to install it."""
    try:
        import pypulseq
    except ImportError as error:
        raise ImportError(
            "Pulseq protocols require the package pypulseq. Install it with: "
            'pip install "loupe-tf[export]"'
        ) from error
    return pypulseq


@dataclasses.dataclass
class _Plan:
    """What is read out (`x`) and encoded (`y`); lengths in m."""

    samples: int
    lines: int
    read_view: float
    phase_view: float
    thickness: float

    @property
    def largest(self):
        """Area of the largest phase encoding, in 1 / m."""
        return max(self.lines // 2, 1) / self.phase_view


@dataclasses.dataclass
class _Events:
    """Events of a repetition; `before` and `behind` the read-out, by axis."""

    pulse: object
    selection: object
    readout: object
    receiver: object
    before: dict
    behind: dict


@dataclasses.dataclass
class _Timing:
    """Durations of the blocks behind the pulse, TE and TR; in s."""

    before: float
    reading: float
    behind: float
    te: float
    tr: float


def _clinical_system(pp):
    return pp.Opts(
        max_grad=28,
        grad_unit="mT/m",
        max_slew=150,
        slew_unit="T/m/s",
        rf_ringdown_time=20e-6,
        rf_dead_time=100e-6,
        adc_dead_time=10e-6,
    )


def _plan(mask, slice_thickness):
    readout, phase = (0, 1) if mask.lines == "columns" else (1, 0)
    view = [size / 1000 for size in mask.field_of_view]
    return _Plan(
        mask.matrix[readout],
        mask.matrix[phase],
        view[readout],
        view[phase],
        slice_thickness / 1000,
    )


def _events(pp, system, plan, flip_angle, bandwidth):
    """Events; gradients that run together are as short as all can be."""
    pulse, selection = _excitation(pp, system, flip_angle, plan.thickness)
    readout, receiver = _readout(pp, system, plan, bandwidth)
    ramp = (readout.area - readout.flat_area) / 2
    # From the centre of the pulse, half of it and a ramp.
    after = selection.area * (1 - _share_before(pp, pulse, selection))
    half = (plan.samples // 2 + 0.5) * receiver.dwell
    prephase = -ramp - half * readout.amplitude
    before = {"x": prephase, "y": plan.largest, "z": -after}
    # Four cycles across a slice, and two across a pixel.
    behind = {
        "x": 2 * plan.samples / plan.read_view,
        "z": 4 / plan.thickness,
        "y": plan.largest,
    }
    return _Events(
        pulse,
        selection,
        readout,
        receiver,
        _together(pp, system, before, "field_of_view"),
        _together(pp, system, behind, "slice_thickness"),
    )


def _timing(pp, system, plan, events, te, tr):
    raster = system.block_duration_raster
    excitation = pp.calc_duration(events.pulse, events.selection)
    before = _duration(pp, events.before)
    behind = _duration(pp, events.behind)
    reading = max(
        pp.calc_duration(events.readout), pp.calc_duration(events.receiver)
    )
    centre = events.pulse.delay + pp.calc_rf_center(events.pulse)[0]
    half = (plan.samples // 2 + 0.5) * events.receiver.dwell
    echo = events.readout.rise_time + half
    shortest_te = excitation - centre + before + echo
    wait_te = _wait("te", te, shortest_te, raster)
    shortest_tr = excitation + before + wait_te + reading + behind
    wait_tr = _wait("tr", tr, shortest_tr, raster)
    return _Timing(
        before + wait_te,
        reading,
        behind + wait_tr,
        shortest_te + wait_te,
        shortest_tr + wait_tr,
    )


def _assemble(pp, system, plan, events, timing, lines, dummy_scans):
    """All repetitions, the first ones without a receiver."""
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
    correct, errors = sequence.check_timing()
    if not correct:
        raise invalid(
            "system",
            "limits and rasters that the protocol keeps",
            found=f"a protocol with {len(errors)} errors of timing, the first "
            f"of which is {errors[0]}",
        )
    return sequence


def _mask_definitions(mask):
    """What a `.seq` file has room for of the mask's metadata."""
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


def _excitation(pp, system, flip_angle, thickness):
    """Pulse and the gradient that selects the slice."""
    try:
        return pp.make_sinc_pulse(
            flip_angle=math.radians(flip_angle),
            duration=2e-3,
            slice_thickness=thickness,
            apodization=0.5,
            time_bw_product=4,
            delay=system.rf_dead_time,
            system=system,
            return_gz=True,
            use="excitation",
        )[:2]
    except (ValueError, AssertionError) as error:
        raise invalid(
            "slice_thickness",
            "one that the scanner can select with a pulse of 2 ms",
            found=f"{1000 * thickness:g} mm ({error})",
        ) from error


def _readout(pp, system, plan, bandwidth):
    """Gradient and receiver; samples 1 / `read_view` apart."""
    samples, view = plan.samples, plan.read_view
    unit = system.adc_raster_time
    dwell = round(1 / (bandwidth * samples) / unit) * unit
    if dwell < unit or 1 / (view * dwell) > system.max_grad:
        most = min(view * system.max_grad, 1 / unit) / samples
        raise invalid(
            "bandwidth",
            f"at most {most:.0f} Hz for a pixel, for {samples} samples over "
            f"{1000 * view:g} mm",
            bandwidth,
        )
    raster = system.grad_raster_time
    flat = math.ceil(samples * dwell / raster - 1e-6) * raster
    amplitude = 1 / (view * dwell)
    gradient = pp.make_trapezoid(
        "x", flat_area=amplitude * flat, flat_time=flat, system=system
    )
    # The receiver's dead time fits into the ramp.
    receiver = pp.make_adc(
        samples, dwell=dwell, delay=gradient.rise_time, system=system
    )
    return gradient, receiver


def _share_before(pp, pulse, selection):
    """Part of the gradient's area that lies before the centre of the pulse."""
    centre = pulse.delay + pp.calc_rf_center(pulse)[0] - selection.delay
    flat = centre - selection.rise_time
    area = selection.amplitude * (selection.rise_time / 2 + flat)
    return area / selection.area


def _together(pp, system, areas, argument):
    """Trapezoids of these areas, all of the same duration."""
    try:
        alone = [
            pp.make_trapezoid(channel, area=area, system=system)
            for channel, area in areas.items()
        ]
        duration = max(pp.calc_duration(gradient) for gradient in alone)
        return {
            channel: pp.make_trapezoid(
                channel, area=area, duration=duration, system=system
            )
            for channel, area in areas.items()
        }
    except (ValueError, AssertionError) as error:
        raise invalid(
            argument,
            "gradients that the scanner can do",
            found=f"areas of {areas} / m ({error})",
        ) from error


def _duration(pp, gradients):
    return max(pp.calc_duration(gradient) for gradient in gradients.values())


def _scaled(pp, gradients, share):
    """The gradients, phase encoding scaled."""
    return [
        pp.scale_grad(gradient, share) if channel == "y" else gradient
        for channel, gradient in gradients.items()
    ]


def _wait(name, wanted, shortest, raster):
    """Seconds to wait for a time in ms, in steps of the raster."""
    if wanted is None:
        return 0.0
    wait = check_number(name, wanted) / 1000 - shortest
    if wait < -1e-9:
        least = math.ceil(1e5 * shortest) / 100
        raise invalid(name, f"at least {least:.2f} ms", wanted)
    return max(math.ceil(wait / raster - 1e-6), 0) * raster
