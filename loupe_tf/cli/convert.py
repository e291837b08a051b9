"""`loupe-tf mask convert`: a mask in another format."""

import textwrap

import numpy as np

from loupe_tf.cli.masks import (
    about_coils,
    about_points,
    add_command,
    add_reading,
    read,
    size_text,
    without_phase,
)
from loupe_tf.cli.protocol import (
    add_contrast,
    add_dummy_scans,
    add_version,
    describe,
    describe_scan,
    describe_start,
)
from loupe_tf.cli.vocabulary import add_field_of_view
from loupe_tf.command_line import meaning, stands_for
from loupe_tf.file_formats import find_format
from loupe_tf.masks.acquisition_order import ORDERS
from loupe_tf.masks.description import resolution_text
from loupe_tf.masks.files.mask_files import FORMATS, save_mask
from loupe_tf.masks.mirror_images import (
    lacks_mirror_images,
)
from loupe_tf.trajectories.hardware import HARDWARE

DOC = """\
Write a mask in another format.

examples:
  lines to a gradient-echo protocol; times in ms, the slice in mm:
    loupe-tf mask make equispaced_lines lines.npz --matrix 128 128
    loupe-tf mask convert lines.npz scan.seq --fov 240 240 --te 6 --tr 20 \\
        --slice-thickness 3 --hardware prisma
  a list of lines for a sequence of your own, from the centre outwards:
    loupe-tf mask convert lines.npz lines.csv --order centre_out
  points to a 3-D gradient echo, with a read-out of 128 samples over 256 mm:
    loupe-tf mask make poisson_disc points.npz --matrix 64 48 --fov 240 200
    loupe-tf mask convert points.npz points.seq --readout 128 256
  points as a list, and for ISMRMRD:
    loupe-tf mask convert points.npz points.csv
    loupe-tf mask convert points.npz points.mrd
  a pattern for `bart pics -p pattern`:
    loupe-tf mask convert points.npz pattern.cfl

The file appears at once and whole: after an error, an older file is still
there. Before a mask goes to a scanner (Pulseq, ISMRMRD, CSV), the command says

  - how far out the lines go;
  - which scan can acquire points;
  - if the mask leaves out one half of k-space, or was learned from images
    without a phase;
  - for which reconstruction a mask was learned, and what to compare it with if
    there are several coils.

A Pulseq file is a spoiled gradient echo, whatever the contrast that the mask
was learned from: of one slice for lines, of one slab for points. The command
prints the time of the scan and of the full one, the bandwidth of the read-out,
and the largest gradient and slew rate beside their limits. Gradients keep the
limits of the scanner in any orientation of the slice; peripheral nerve
stimulation, mechanical resonances and the duty cycle are not checked.
"""

# Options of `convert` that only some formats take, by their name in Python.
OPTIONS = (
    "order",
    "seed",
    "slice_thickness",
    "te",
    "tr",
    "flip_angle",
    "bandwidth",
    "oversampling",
    "readout",
    "dummy_scans",
    "max_gradient",
    "max_slew",
    "version",
)


# The formats that tell a scanner what to acquire.
FOR_SCANNERS = ("pulseq", "ismrmrd", "csv")


def add(commands):
    """Add the command to those on masks."""
    convert = add_command(
        commands,
        "convert",
        "write a mask in another format",
        DOC,
        "MASK OUT",
        aliases=["export"],
    )
    convert.add_argument("mask", metavar="MASK", help="file of a mask")
    out = convert.add_argument("out", metavar="OUT", help="file to write")
    stands_for(out, "path")
    add_reading(convert)
    convert.add_argument(
        "--format",
        choices=FORMATS,
        help="format of the file to write (default: by the suffix)",
    )
    convert.add_argument(
        "--matrix",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="size of k-space, which old masks of lines do not know (default: "
        "that of the mask)",
    )
    add_field_of_view(
        convert, ", which ISMRMRD and Pulseq need (default: that of the mask)"
    )
    convert.add_argument(
        "--order",
        choices=ORDERS,
        help="order of acquisition, for CSV, ISMRMRD and Pulseq; smooth keeps "
        "jumps small, for eddy currents (default: linear)",
    )
    convert.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of --order shuffled (default: 0)",
    )
    protocol = convert.add_argument_group("Pulseq (and ISMRMRD: thickness)")
    add_contrast(
        protocol,
        "of the one slice, in mm (default: 5), or of the slab of a mask of "
        "points (default: its field of view along W)",
    )
    for name, unit, text in (
        (
            "bandwidth",
            "HZ",
            "bandwidth of the receiver in Hz for a pixel (default: 250)",
        ),
        (
            "max-gradient",
            "MT/M",
            "largest gradient of the scanner in mT/m, which no physical axis "
            "exceeds in any orientation of the slice (default: 28)",
        ),
        (
            "max-slew",
            "T/M/S",
            "largest slew rate of the scanner in T/m/s, in the same sense. "
            "--te and --tr do not slow the gradients; give --max-slew if they "
            "may be gentler (default: 150)",
        ),
    ):
        protocol.add_argument(f"--{name}", type=float, metavar=unit, help=text)
    systems = protocol.add_argument(
        "--hardware",
        choices=HARDWARE,
        help="limits and gradient raster of this system, which `loupe-tf "
        "trajectory --help` lists; --max-gradient and --max-slew replace its "
        "limits (default: clinical)",
    )
    stands_for(systems, "raster")
    protocol.add_argument(
        "--oversampling",
        type=int,
        metavar="N",
        help="the receiver takes N times the samples of the matrix along the "
        "read-out, and so N times the field of view, which a reconstruction "
        "crops; with 1, what lies outside the field of view folds in (default: "
        "2, as usual on scanners)",
    )
    protocol.add_argument(
        "--readout",
        nargs=2,
        type=float,
        metavar=("SAMPLES", "MM"),
        help="samples and field of view of the read-out for a mask of points, "
        "which has only the two other axes of a 3-D scan (no default)",
    )
    add_dummy_scans(protocol, "line or point")
    add_version(protocol)
    convert.set_defaults(run=run)


def run(options):
    """Run the command."""
    mask = read(options.mask, options)
    own = mask.field_of_view
    changes = {"matrix": options.matrix, "field_of_view": options.field_of_view}
    mask = mask.replace(**{k: v for k, v in changes.items() if v is not None})
    given = {name: getattr(options, name) for name in OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    if options.readout is not None and options.readout[0].is_integer():
        given["readout"] = int(options.readout[0]), options.readout[1]
    limits = limits_of(options.hardware)
    by_name = {name: "hardware" for name in limits if name not in given}
    with meaning(**by_name):
        save_mask(
            mask,
            options.out,
            options.format,
            shift=False,
            **{**limits, **given},
        )
    if own is not None and options.field_of_view is not None:
        changed = tuple(options.field_of_view)
        if not np.allclose(own, changed, rtol=1e-3):
            print(
                f"Note: the mask was made for a field of view of "
                f"{size_text(own, ' mm')}; --fov {size_text(changed)} replaces "
                "it, and the samples then lie at other frequencies."
            )
    view = ""
    if mask.field_of_view is not None:
        view = f"; field of view {size_text(mask.field_of_view, ' mm')}"
    print(f"{options.out}: {mask}{view}")
    kind = find_format(FORMATS, options.out, options.format)
    if protocol := describe(options.out, kind, FORMATS[kind], options):
        print(protocol)
    if kind == "pulseq":
        print(describe_scan(options.out))
    if kind in FOR_SCANNERS:
        if resolution := resolution_text(mask):
            print(textwrap.fill(f"acquires {resolution}", 80))
        first = "line" if mask.lines else "point"
        if kind == "pulseq" and (start := describe_start(options.out, first)):
            print(f"\n{textwrap.fill(start, 80)}")
        scan = about_points(mask, as_sequence=kind == "pulseq")
        doubt = lacks_mirror_images(mask) or without_phase(mask)
        for note in (scan, doubt, about_coils(mask)):
            if note:
                print(f"\n{textwrap.fill(f'Note: {note}', 80)}")


def limits_of(hardware):
    """Return the arguments of `pulseq_sequence` for a name of `HARDWARE`."""
    if hardware is None:
        return {}
    found = HARDWARE[hardware]
    return {
        "max_gradient": found.max_gradient,
        "max_slew": found.max_slew,
        "raster": found.raster,
    }
