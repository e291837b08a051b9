"""Lines of a mask as a Pulseq protocol (Layton et al., MRM 77, 2017)."""

import hashlib
import math
import pathlib
import re
import tempfile

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.files.arrays import (
    check_lines,
    with_field_of_view,
    with_matrix,
)
from loupe_tf.masks.files.ismrmrd import check_positive
from loupe_tf.masks.sampling_mask import COST, SamplingMask
from loupe_tf.reading import check_file, check_memory, naming

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
    pp = _import()
    check_lines(mask, "a Pulseq protocol", "columns", "rows")
    mask = with_matrix(mask, matrix)
    if not mask.acquired:
        raise ValueError(
            "Invalid value for argument `mask`. Expected one that acquires "
            "something. Received: a mask of no lines"
        )
    mask = with_field_of_view(mask, field_of_view)
    check_positive(
        slice_thickness=slice_thickness,
        flip_angle=flip_angle,
        bandwidth=bandwidth,
        te=1 if te is None else te,
        tr=1 if tr is None else tr,
    )
    if not isinstance(dummy_scans, int) or dummy_scans < 0:
        raise ValueError(
            "Invalid value for argument `dummy_scans`. Expected a "
            f"non-negative integer. Received: dummy_scans={dummy_scans!r}"
        )
    if system is None:
        system = pp.Opts(
            max_grad=28,
            grad_unit="mT/m",
            max_slew=150,
            slew_unit="T/m/s",
            rf_ringdown_time=20e-6,
            rf_dead_time=100e-6,
            adc_dead_time=10e-6,
        )
    readout, phase = (0, 1) if mask.lines == "columns" else (1, 0)
    samples, count = mask.matrix[readout], mask.matrix[phase]
    view = [size / 1000 for size in mask.field_of_view]
    thickness = slice_thickness / 1000

    # Events. Each gradient is made as short as it can be, then as long as the
    # longest of those that run with it.
    rf, gz = _excitation(pp, system, flip_angle, thickness)
    gx, adc, dwell = _readout(pp, system, samples, view[readout], bandwidth)
    ramp = (gx.area - gx.flat_area) / 2
    # From the centre of the pulse, half of it and a ramp.
    after = gz.area * (1 - _share_before(pp, rf, gz))
    prephase = -ramp - (samples // 2 + 0.5) * dwell * gx.amplitude
    largest = max(count // 2, 1) / view[phase]
    before = _together(
        pp, system, {"x": prephase, "y": largest, "z": -after}, "field_of_view"
    )
    # Four cycles across a slice, and two across a pixel.
    spoilers = {"x": 2 * samples / view[readout], "z": 4 / thickness}
    behind = _together(
        pp, system, {**spoilers, "y": largest}, "slice_thickness"
    )

    # Timing.
    raster = system.block_duration_raster
    excitation = pp.calc_duration(rf, gz)
    prephasing, spoiling = _duration(pp, before), _duration(pp, behind)
    centre = rf.delay + pp.calc_rf_center(rf)[0]
    echo = gx.rise_time + (samples // 2 + 0.5) * dwell
    shortest = excitation - centre + prephasing + echo
    wait_te = _wait("te", te, shortest, raster)
    reading = max(pp.calc_duration(gx), pp.calc_duration(adc))
    shortest_tr = excitation + prephasing + wait_te + reading + spoiling
    wait_tr = _wait("tr", tr, shortest_tr, raster)

    sequence = pp.Sequence(system)
    lines = acquisition_order(mask, order, seed)
    first = [int(lines[0])] * dummy_scans
    angle = increment = 0.0
    for repetition, line in enumerate(first + lines.tolist()):
        rf.phase_offset = adc.phase_offset = math.radians(angle)
        increment = (increment + SPOILING) % 360
        angle = (angle + increment) % 360
        share = (line - count // 2) / view[phase] / largest
        sequence.add_block(rf, gz)
        sequence.add_block(
            *_scaled(pp, before, share), pp.make_delay(prephasing + wait_te)
        )
        if repetition < dummy_scans:
            sequence.add_block(gx, pp.make_delay(reading))
        else:
            label = pp.make_label(label="LIN", type="SET", value=line)
            sequence.add_block(gx, adc, label)
        sequence.add_block(
            *_scaled(pp, behind, -share), pp.make_delay(spoiling + wait_tr)
        )
    correct, errors = sequence.check_timing()
    if not correct:
        raise ValueError(
            "Invalid value for argument `system`. Expected limits and rasters "
            "that the protocol keeps. Received: a protocol with "
            f"{len(errors)} errors of timing, the first of which is {errors[0]}"
        )
    definitions = {
        "Name": "loupe_tf_gre",
        "FOV": [view[readout], view[phase], thickness],
        "TE": shortest + wait_te,
        "TR": shortest_tr + wait_tr,
        "FlipAngle": flip_angle,
        "Dwell": dwell,
        "Order": order,
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
    for name, value in definitions.items():
        sequence.set_definition(name, value)
    return sequence


def save_pulseq(mask, path, **options):
    """Write the protocol of `pulseq_sequence` as a `.seq` file.

    The field of view, the acceleration, the calibration, the slope and the hash
    of the model are definitions in it; interpreters read short lines alone,
    so that the rest of the provenance is left out.

    Args:
        mask: `SamplingMask` of lines.
        path: Path of the file, which ends in `.seq`.
        **options: Arguments of `pulseq_sequence`.
    """
    sequence = pulseq_sequence(mask, **options)
    if str(path)[-4:] != ".seq":
        raise ValueError(
            "Invalid value for argument `path`. Expected one that ends in "
            f"'.seq'. Received: path={path}"
        )
    with written_aside(path) as partial:
        sequence.write(str(partial))


def load_pulseq(path):
    """Read which lines a `.seq` file of `save_pulseq` acquires.

    They are computed from its gradients, by `calculate_kspace`.

    Args:
        path: Path of the file.

    Raises:
        ImportError: If the package `pypulseq` is missing.
        ValueError: If the file cannot be read, or samples elsewhere than on the
            lines that its definitions speak of.
    """
    pp = _import()
    check_memory(path, 50 * check_file(path))
    with naming(path, "a protocol of `save_mask`"):
        content = pathlib.Path(path).read_bytes()
        body, _, signature = content.rpartition(b"\n[SIGNATURE]\n")
        if hashlib.md5(body).hexdigest().encode() not in signature:
            raise ValueError("Expected the md5 of the file at its end")
        sequence = _read(pp, path, body)
        found = sequence.definitions
        lines = found["MaskAxis"]
        matrix = tuple(int(n) for n in found["MaskMatrix"])
        view = [float(1000 * x) for x in found["FOV"][:2]]
        readout, phase = {"columns": (0, 1), "rows": (1, 0)}[lines]
        check_memory(path, COST * matrix[phase])
        trajectory = sequence.calculate_kspace()[0]
        if trajectory.shape[1] % matrix[readout]:
            raise ValueError(f"Expected lines of {matrix[readout]} samples")
        steps = trajectory[1] * view[1] / 1000
        near = np.rint(steps)
        if not np.abs(steps - near).max(initial=0) <= 0.01:
            raise ValueError("Expected samples on lines, not between them")
        numbers = np.unique(near.astype(int)) + matrix[phase] // 2
        if numbers.size and not 0 <= numbers[0] <= numbers[-1] < matrix[phase]:
            raise ValueError(f"Expected lines within the matrix {matrix}")
        array = np.zeros(matrix[phase], dtype=bool)
        array[numbers] = True
        provenance = {}
        if "MaskModel" in found:
            digest = str(found["MaskModel"]).removeprefix("sha256:")
            provenance = {"weights_sha256": digest}
        mask = SamplingMask(
            array[None] if lines == "columns" else array[:, None],
            acceleration=float(found["MaskAcceleration"]),
            calibration=int(found["MaskCalibration"]) or None,
            slope=found.get("MaskSlope"),
            provenance=provenance,
            matrix=matrix,
            field_of_view=tuple(view if lines == "columns" else view[::-1]),
        )
        if mask.acquired != int(found["MaskAcquired"]):
            raise ValueError(
                f"Expected {int(found['MaskAcquired'])} lines, not "
                f"{mask.acquired}"
            )
        return mask, True


def _read(pp, path, body):
    """A sequence whose events are few and short enough to be computed."""
    # Behind another end pypulseq never finds one.
    body += b"\n\n[SIGNATURE]\nType md5\n\n"
    shapes = re.findall(rb"^num_samples\s+(\d+)", body, re.MULTILINE)
    check_memory(path, 64 * sum(map(int, shapes)))
    sequence = pp.Sequence()
    with tempfile.TemporaryDirectory() as folder:
        part = pathlib.Path(folder, "body.seq")
        part.write_bytes(body)
        sequence.read(str(part))
    # Ramps are computed in steps of the raster.
    ramps = [
        sum(event[1:5]) / sequence.grad_raster_time
        for key, event in sequence.grad_library.data.items()
        if sequence.grad_library.type[key] == "t"
    ]
    samples = [event[0] for event in sequence.adc_library.data.values()]
    longest = sum(
        max(map(float, sizes), default=0.0)
        for sizes in (shapes, ramps, samples)
    )
    check_memory(path, 64 * longest * len(sequence.block_events))
    return sequence


def _import():
    try:
        import pypulseq
    except ImportError as error:
        raise ImportError(
            "Pulseq protocols require the package pypulseq. Install it with: "
            'pip install "loupe-tf[export]"'
        ) from error
    return pypulseq


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
        raise ValueError(
            "Invalid value for argument `slice_thickness`. Expected one that "
            "the scanner can select with a pulse of 2 ms. Received: "
            f"{1000 * thickness:g} mm ({error})"
        ) from error


def _readout(pp, system, samples, view, bandwidth):
    """Gradient and receiver; samples 1 / `view` apart."""
    unit = system.adc_raster_time
    dwell = round(1 / (bandwidth * samples) / unit) * unit
    if dwell < unit or 1 / (view * dwell) > system.max_grad:
        most = min(view * system.max_grad, 1 / unit) / samples
        raise ValueError(
            "Invalid value for argument `bandwidth`. Expected at most "
            f"{most:.0f} Hz for a pixel, for {samples} samples over "
            f"{1000 * view:g} mm. Received: bandwidth={bandwidth}"
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
    return gradient, receiver, dwell


def _share_before(pp, rf, gz):
    """Part of the area of `gz` that lies before the centre of the pulse."""
    centre = rf.delay + pp.calc_rf_center(rf)[0] - gz.delay
    flat = centre - gz.rise_time
    return gz.amplitude * (gz.rise_time / 2 + flat) / gz.area


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
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected gradients that "
            f"the scanner can do. Received: areas of {areas} / m ({error})"
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
    wait = wanted / 1000 - shortest
    if wait < -1e-9:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected at least "
            f"{math.ceil(1e5 * shortest) / 100:.2f} ms. "
            f"Received: {name}={wanted}"
        )
    return max(math.ceil(wait / raster - 1e-6), 0) * raster
