"""One line on a protocol, for the commands that write one."""

import inspect
import pathlib

from loupe_tf.masks.files.pulseq_events import SPOILING, VERSIONS

# Default of what the options of this name say, by their name in Python.
THICKNESS = "slice_thickness"


def add_dummy_scans(group, before):
    """Add `--dummy-scans`, excitations before the first line or shot."""
    group.add_argument(
        "--dummy-scans",
        type=int,
        metavar="N",
        help=f"excitations before the first {before} (16)",
    )


def add_version(group):
    """Add `--pulseq`, the version of the format."""
    group.add_argument(
        "--pulseq",
        dest="version",
        choices=VERSIONS,
        help="version of the file format, which the interpreter of your "
        "scanner must know (1.5)",
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
    millimetres = (
        options.slice_thickness if given else parameters[THICKNESS].default
    )
    thickness = f"{millimetres:g} mm" + ("" if given else " (default)")
    if name != "pulseq":
        return f"slice thickness {thickness}"
    found = definitions(path)
    te, tr = (1000 * float(found[name]) for name in ("TE", "TR"))
    version = options.version or VERSIONS[0]
    dummies = options.dummy_scans
    if dummies is None:
        dummies = parameters["dummy_scans"].default
    return (
        f"one slice of {thickness}, spoiled gradient echo, TE {te:.2f} ms, TR "
        f"{tr:.2f} ms, flip angle {float(found['FlipAngle']):g}°, {dummies} "
        f"dummy scans, RF spoiling {SPOILING:g}°, Pulseq {version}"
    )


def definitions(path):
    """Return the definitions of a Pulseq file, as a dictionary of strings."""
    text = pathlib.Path(path).read_text()
    section = text.partition("[DEFINITIONS]")[2].partition("\n[")[0]
    pairs = (line.split(maxsplit=1) for line in section.splitlines())
    return dict(pair for pair in pairs if len(pair) == 2)
