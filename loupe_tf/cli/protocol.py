"""What a protocol will do, for the commands that write one."""

import inspect
import pathlib

from loupe_tf.masks.files.pulseq_events import SPOILING, VERSIONS
from loupe_tf.masks.files.steady_state import (
    AIM,
    T1,
    excess_signal,
    usual_dummy_scans,
)

# Default of what the options of this name say, by their name in Python.
THICKNESS = "slice_thickness"
# The definition of a Pulseq file of points that has the thickness of its slab.
SLAB = "SlabThickness"
# The excess of the first signal above which a note says so.
SAID = 0.1


def add_contrast(group, thickness="of the one slice, in mm (default: 5)"):
    """Add the thickness of the slice and what its contrast depends on."""
    for name, unit, text in (
        ("slice-thickness", "MM", thickness),
        ("te", "MS", "echo time in ms (default: the shortest)"),
        ("tr", "MS", "repetition time in ms (default: the shortest)"),
        ("flip-angle", "DEGREES", "in degrees (default: 15)"),
    ):
        group.add_argument(f"--{name}", type=float, metavar=unit, help=text)


def add_dummy_scans(group, before):
    """Add `--dummy-scans`, excitations before the first line or shot."""
    group.add_argument(
        "--dummy-scans",
        type=int,
        metavar="N",
        help=f"excitations before the first {before} (default: as many as "
        f"bring its signal within {100 * AIM:g} %% of the steady state, for a "
        f"T1 of {T1:g} s)",
    )


def add_version(group):
    """Add `--pulseq`, the version of the format."""
    group.add_argument(
        "--pulseq",
        dest="version",
        choices=VERSIONS,
        help="version of the file format, which the interpreter of your "
        "scanner must know (default: 1.5)",
    )


def describe(path, name, format, options):
    """Describe the slice and the contrast of a file that was written.

    Args:
        path: Path of the file.
        name: String, the name of its format.
        format: `Format` of that name.
        options: `argparse.Namespace` with `slice_thickness`.

    Returns:
        A sentence without a full stop, or `None` for files that have no slice.
    """
    parameters = inspect.signature(format.takes or format.save).parameters
    if THICKNESS not in parameters:
        return None
    given = options.slice_thickness is not None
    usual = "" if given else " (default)"
    if name != "pulseq":
        millimetres = (
            options.slice_thickness if given else parameters[THICKNESS].default
        )
        return f"slice thickness {millimetres:g} mm{usual}"
    found = definitions(path)
    slab = SLAB in found
    metres = found[SLAB] if slab else found["FOV"].split()[2]
    excited = "slab" if slab else "slice"
    te, tr = (1000 * float(found[name]) for name in ("TE", "TR"))
    version = options.version or VERSIONS[0]
    dummies = f"{found['DummyScans']} dummy scans"
    if options.dummy_scans is None:
        dummies += " (default)"
    return (
        f"one {excited} of {1000 * float(metres):g} mm{usual}, spoiled "
        f"gradient echo, TE {te:.2f} ms, TR {tr:.2f} ms, flip angle "
        f"{float(found['FlipAngle']):g}°, {dummies}, RF spoiling "
        f"{SPOILING:g}°, Pulseq {version}"
    )


def describe_scan(path):
    """Say what a Pulseq file that was written will do.

    Args:
        path: Path of the file.

    Returns:
        Two lines: the time of the scan and the read-out; the largest gradient
        and slew rate, beside the limits.
    """
    found = definitions(path)
    seconds, tr = float(found["TotalDuration"]), 1000 * float(found["TR"])
    full = ""
    if "MaskAcquired" in found:
        height, width = map(int, found["MaskMatrix"].split())
        kind, number = {
            "rows": ("lines", height),
            "columns": ("lines", width),
            "points": ("points", height * width),
        }[found["MaskAxis"]]
        acquired = f"{found['MaskAcquired']} {kind}"
        more = number - int(found["MaskAcquired"])
        full = f" (all {number} {kind}: {seconds + more * tr / 1000:.2f} s)"
        read_out = (
            f"{float(found['Bandwidth']):.0f} Hz per pixel, oversampled "
            f"{found['ReadoutOversamplingFactor']} times"
        )
        where = "in any orientation of the slice"
    else:
        acquired = f"{found['TrajectoryShots']} shots"
        dwell = float(found["Dwell"])
        lasts = dwell * int(found["TrajectorySamples"])
        read_out = (
            f"{1000 * lasts:.4g} ms at {1e-3 / dwell:.4g} kHz, as long as that "
            f"of a line with {1 / lasts:.0f} Hz per pixel"
        )
        where = "along the shots"
    gradient, most, slew, fastest = (
        f"{float(found[name]):.4g}"
        for name in ("PeakGradient", "MaxGradient", "PeakSlew", "MaxSlew")
    )
    return (
        f"scan time {seconds:.2f} s{full}: TR {tr:.2f} ms × ({acquired} + "
        f"{found['DummyScans']} dummy scans); read-out {read_out}\n"
        f"gradient at most {gradient} of {most} mT/m, slew rate at most {slew} "
        f"of {fastest} T/m/s {where}"
    )


def describe_start(path, first):
    """Say if the first signal of a Pulseq file is not yet in the steady state.

    Args:
        path: Path of the file.
        first: String, what is acquired first, line or shot.

    Returns:
        A sentence, `""` if its signal is within 10 % for a T1 of 1 s.
    """
    found = definitions(path)
    protocol = float(found["TR"]), float(found["FlipAngle"])
    excess = excess_signal(int(found["DummyScans"]), *protocol, T1)
    if abs(excess) <= SAID:
        return ""
    return (
        f"Note: the signal of the first {first} is {100 * abs(excess):.0f} % "
        f"{'above' if excess > 0 else 'below'} the steady state, for a T1 of "
        f"{T1:g} s and ideal spoiling; {usual_dummy_scans(*protocol)} dummy "
        f"scans, the default, bring it within {100 * AIM:g} %."
    )


def definitions(path):
    """Return the definitions of a Pulseq file, as a dictionary of strings."""
    text = pathlib.Path(path).read_text()
    section = text.partition("[DEFINITIONS]")[2].partition("\n[")[0]
    pairs = (line.strip().split(maxsplit=1) for line in section.splitlines())
    return dict(pair for pair in pairs if len(pair) == 2)
