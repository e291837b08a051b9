"""Pulseq events of a gradient echo: pulse, gradients and receiver."""

import dataclasses
import math

from loupe_tf.atomic import written_aside
from loupe_tf.checks import check_choice, check_number, invalid

# Quadratic phase increment of RF spoiling (Zur, Wood and Neuringer, MRM 21,
# 1991).
SPOILING = 117.0

VERSIONS = ("1.5", "1.4")
"""Versions of the Pulseq format; interpreters of scanners differ in theirs."""


def write_sequence(sequence, path, version):
    """Write a sequence as a file of one of `VERSIONS`, whole or not at all.

    Args:
        sequence: `pypulseq.Sequence`.
        path: Path of the file, which must end in `.seq`.
        version: String.
    """
    check_choice("version", version, VERSIONS)
    if str(path)[-4:] != ".seq":
        raise invalid(
            "path", "a path that ends in '.seq'", found=f"path={path}"
        )
    with written_aside(path) as partial:
        sequence.write(str(partial), v141_compat=version == "1.4")


def demands(system, peak_gradient, peak_slew):
    """Return what the gradients of a sequence ask for, and the limits.

    Args:
        system: `pypulseq.Opts`, the limits.
        peak_gradient, peak_slew: Floats, in Hz/m and Hz/m/s.

    Returns:
        A dictionary of definitions, in mT/m and T/m/s.
    """
    tesla = 1 / system.gamma
    values = {
        "PeakGradient": 1000 * tesla * peak_gradient,
        "PeakSlew": tesla * peak_slew,
        "MaxGradient": 1000 * tesla * system.max_grad,
        "MaxSlew": tesla * system.max_slew,
    }
    return {name: rounded(value) for name, value in values.items()}


def rounded(value):
    """Round a number to six digits: a file has no more."""
    return float(f"{value:.6g}")


def import_pypulseq():
    """Import `pypulseq`, or raise an error that says how to install it."""
    try:
        import pypulseq
    except ImportError as error:
        raise ImportError(
            "Pulseq protocols require the package pypulseq. Install it with: "
            'pip install "loupe-tf[export]"'
        ) from error
    return pypulseq


@dataclasses.dataclass
class Lobes:
    """Gradients that run together, with the phase encodings in them.

    `fixed` has the area of each axis without phase encoding, and `reach` that
    of its trapezoid in `largest`, which is scaled; areas are in 1/m.
    """

    fixed: dict
    reach: dict
    largest: dict

    def at(self, pp, axis, encoded):
        """Make the gradient of an axis, with a phase encoding of this area."""
        share = (self.fixed[axis] + encoded) / self.reach[axis]
        return pp.scale_grad(self.largest[axis], share)


@dataclasses.dataclass
class Events:
    """Events of one repetition.

    `before` and `behind` are the gradients before and after the read-out.
    """

    pulse: object
    selection: object
    readout: object
    receiver: object
    before: Lobes
    behind: Lobes


def system_of(pp, max_gradient, max_slew, raster):
    """Return limits in mT/m, T/m/s and s, with dead times that are usual."""
    raster = check_number("raster", raster, above=0)
    return pp.Opts(
        max_grad=check_number("max_gradient", max_gradient, above=0),
        grad_unit="mT/m",
        max_slew=check_number("max_slew", max_slew, above=0),
        slew_unit="T/m/s",
        grad_raster_time=raster,
        block_duration_raster=raster,
        rf_ringdown_time=20e-6,
        rf_dead_time=100e-6,
        adc_dead_time=10e-6,
    )


def events_of(pp, system, plan, flip_angle, bandwidth):
    """Make the events; simultaneous gradients have their shortest duration."""
    pulse, selection = excitation(
        pp, system, flip_angle, plan.thickness, plan.sharpness
    )
    readout, receiver = _readout(pp, system, plan, bandwidth)
    ramp = (readout.area - readout.flat_area) / 2
    # Area from the centre of the pulse to the end of the slice selection.
    after = selection.area * (1 - share_before(pp, pulse, selection))
    half = (plan.received // 2 + 0.5) * receiver.dwell
    prephase = -ramp - half * readout.amplitude
    # The selection is refocused together with the encoding along z.
    before = {"x": prephase, "y": 0.0, "z": -after}
    behind = {"x": 0.0, "z": 0.0, "y": 0.0, **plan.spoiling}
    return Events(
        pulse,
        selection,
        readout,
        receiver,
        _lobes(pp, system, plan, before, "field_of_view"),
        _lobes(pp, system, plan, behind, "slice_thickness"),
    )


def _lobes(pp, system, plan, fixed, argument):
    """Make gradients that are large enough for all phase encodings."""
    reach = dict(fixed)
    for axis, encoding in plan.encodings.items():
        reach[axis] = abs(fixed[axis]) + encoding.largest
    return Lobes(fixed, reach, _together(pp, system, reach, argument))


def excitation(pp, system, flip_angle, thickness, sharpness=4):
    """Make the pulse and the slice-selection gradient; thickness in m.

    `sharpness` is the product of the duration and the bandwidth of the pulse.
    """
    try:
        return pp.make_sinc_pulse(
            flip_angle=math.radians(flip_angle),
            duration=2e-3,
            slice_thickness=thickness,
            apodization=0.5,
            time_bw_product=sharpness,
            delay=system.rf_dead_time,
            system=system,
            return_gz=True,
            use="excitation",
        )[:2]
    except (ValueError, AssertionError) as error:
        raise invalid(
            "slice_thickness",
            "a slice that the scanner can select with a pulse of 2 ms",
            found=f"{1000 * thickness:g} mm ({error})",
        ) from error


def _readout(pp, system, plan, bandwidth):
    """Make read-out gradient and receiver.

    Samples are 1 / `read_view` apart without oversampling.
    """
    samples, view = plan.received, plan.oversampling * plan.read_view
    unit = system.adc_raster_time
    dwell = round(1 / (bandwidth * samples) / unit) * unit
    if dwell < unit or 1 / (view * dwell) > system.max_grad:
        most = min(view * system.max_grad, 1 / unit) / samples
        raise invalid(
            "bandwidth",
            f"at most {most:.0f} Hz per pixel, for {samples} samples over "
            f"{1000 * view:g} mm",
            bandwidth,
        )
    raster = system.grad_raster_time
    flat = math.ceil(samples * dwell / raster - 1e-6) * raster
    amplitude = 1 / (view * dwell)
    # The receiver's dead time fits into the ramp.
    ramp = max(amplitude / system.max_slew, system.adc_dead_time)
    ramp = max(math.ceil(ramp / raster - 1e-6), 1) * raster
    gradient = pp.make_trapezoid(
        "x",
        flat_area=amplitude * flat,
        flat_time=flat,
        rise_time=ramp,
        system=system,
    )
    receiver = pp.make_adc(
        samples, dwell=dwell, delay=gradient.rise_time, system=system
    )
    return gradient, receiver


def share_before(pp, pulse, selection):
    """Return the share of the gradient's area before the pulse centre."""
    centre = pulse.delay + pp.calc_rf_center(pulse)[0] - selection.delay
    flat = centre - selection.rise_time
    area = selection.amplitude * (selection.rise_time / 2 + flat)
    return area / selection.area


def _together(pp, system, areas, argument):
    """Make trapezoids of these areas, all of the same duration.

    An oblique slice may add all three on one physical axis, so that each has a
    share 1 / √3 of the limits.
    """
    limits = {
        "max_grad": system.max_grad / math.sqrt(3),
        "max_slew": system.max_slew / math.sqrt(3),
        "system": system,
    }
    try:
        alone = [
            pp.make_trapezoid(channel, area=area, **limits)
            for channel, area in areas.items()
        ]
        duration = max(pp.calc_duration(gradient) for gradient in alone)
        return {
            channel: pp.make_trapezoid(
                channel, area=area, duration=duration, **limits
            )
            for channel, area in areas.items()
        }
    except (ValueError, AssertionError) as error:
        raise invalid(
            argument,
            "gradients within the limits of the scanner",
            found=f"areas of {areas} / m ({error})",
        ) from error


def wait(name, wanted, shortest, raster):
    """Return the time in s to add to `shortest` s to reach `wanted` ms.

    It is rounded up to a multiple of the raster.
    """
    if wanted is None:
        return 0.0
    time = check_number(name, wanted) / 1000 - shortest
    if time < -1e-9:
        least = math.ceil(1e5 * shortest) / 100
        raise invalid(name, f"at least {least:.2f} ms", wanted)
    return max(math.ceil(time / raster - 1e-6), 0) * raster
