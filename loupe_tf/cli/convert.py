"""`loupe-tf mask convert`: a mask in another format."""

import textwrap

import numpy as np

from loupe_tf.cli.masks import (
    add_command,
    add_reading,
    read,
    size_text,
    without_phase,
)
from loupe_tf.cli.protocol import (
    add_dummy_scans,
    add_version,
    describe,
    describe_scan,
    describe_start,
)
from loupe_tf.cli.training.networks import NETWORKS
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

DESCRIPTION = """\
Write a mask in another format. The file appears at once and whole: after an
error, an older file is still there. Before a mask goes to a scanner (Pulseq,
ISMRMRD, CSV), the command says how far out it acquires k-space, if it leaves
out one half or was learned from images without a phase, and, for learned lines,
what to compare with if there are several coils. A Pulseq file is a spoiled
gradient echo, whatever the contrast that the mask was learned from; the time of
the scan and of the full one, the bandwidth of the read-out and the largest
gradient and slew rate, beside their limits, are printed. Gradients keep the
limits of the scanner in any orientation of the slice; peripheral nerve
stimulation, mechanical resonances and the duty cycle are not checked.
"""

EXAMPLES = """\
examples:
  a pattern for `bart pics -p pattern`:
    loupe-tf mask convert mask.npz pattern.cfl
  a list of lines for a scanner, from the centre outwards:
    loupe-tf mask convert mask.npz lines.csv --order centre_out
  ISMRMRD, with the size of the image in mm:
    loupe-tf mask convert mask.npz mask.mrd --fov 240 240
  a gradient-echo protocol; times in ms, the thickness of the slice in mm:
    loupe-tf mask convert mask.npz scan.seq --fov 240 240 --te 5 --tr 20 \\
        --slice-thickness 3 --hardware prisma
  a mask of lines that does not know their length:
    loupe-tf mask convert old.npz pattern.cfl --matrix 320 320
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
    "dummy_scans",
    "max_gradient",
    "max_slew",
    "version",
)


# The figure is from docs/results/xpdnet.md.
LEARNED_LINES = (
    "Note: with several coils, lines that a U-Net learned were 2.6 dB worse "
    "than equispaced ones for total variation, which uses the coils. Learn "
    "lines with `loupe-tf train --network modl --coils N`, which compares them "
    "with equispaced ones, or scan with `loupe-tf mask make equispaced_lines`."
)
FOR_COILS = (
    "Note: these lines were learned for {coils} simulated coils, and serve the "
    "network that they were learned with. Before you scan, see in its report "
    "whether they are better than equispaced ones."
)

# The formats that tell a scanner what to acquire.
FOR_SCANNERS = ("pulseq", "ismrmrd", "csv")


def add(commands):
    """Add the command to those on masks."""
    convert = add_command(
        commands,
        "convert",
        "write a mask in another format",
        DESCRIPTION,
        EXAMPLES,
        aliases=["export"],
    )
    convert.add_argument("mask", metavar="MASK", help="file of a mask")
    out = convert.add_argument("out", metavar="OUT", help="file to write")
    stands_for(out, "path")
    add_reading(convert)
    convert.add_argument(
        "--format",
        choices=FORMATS,
        help="format of the file to write, if the suffix does not tell",
    )
    convert.add_argument(
        "--matrix",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="size of k-space, which old masks of lines do not know",
    )
    add_field_of_view(
        convert, ", which ISMRMRD and Pulseq need (that of the mask)"
    )
    convert.add_argument(
        "--order",
        choices=ORDERS,
        help="order of acquisition, for CSV, ISMRMRD and Pulseq (linear); "
        "smooth keeps jumps small, for eddy currents",
    )
    convert.add_argument(
        "--seed", type=int, help="seed of --order shuffled (0)"
    )
    protocol = convert.add_argument_group("Pulseq (and ISMRMRD: thickness)")
    for name, text in (
        ("slice-thickness", "of the one slice, in mm (5)"),
        ("te", "echo time in ms (the shortest)"),
        ("tr", "repetition time in ms (the shortest)"),
        ("flip-angle", "in degrees (15)"),
        ("bandwidth", "bandwidth of the receiver in Hz for a pixel (250)"),
        (
            "max-gradient",
            "largest gradient of the scanner in mT/m (28), which no physical "
            "axis exceeds in any orientation of the slice",
        ),
        (
            "max-slew",
            "largest slew rate of the scanner in T/m/s (150), in the same "
            "sense. --te and --tr do not slow the gradients; give --max-slew "
            "if they may be gentler",
        ),
    ):
        metavar = name.rpartition("-")[2].upper()
        protocol.add_argument(
            f"--{name}", type=float, metavar=metavar, help=text
        )
    systems = protocol.add_argument(
        "--hardware",
        choices=HARDWARE,
        help="limits and gradient raster of this system, which `loupe-tf "
        "trajectory --help` lists (clinical); --max-gradient and --max-slew "
        "replace its limits",
    )
    stands_for(systems, "raster")
    protocol.add_argument(
        "--oversampling",
        type=int,
        metavar="N",
        help="the receiver takes N times the samples of the matrix along the "
        "read-out, and so N times the field of view, which a reconstruction "
        "crops (2, the usual factor on scanners); with 1, what lies "
        "outside the field of view folds in",
    )
    add_dummy_scans(protocol, "line")
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
                "it, and the lines then lie at other frequencies."
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
        if kind == "pulseq" and (start := describe_start(options.out, "line")):
            print(f"\n{textwrap.fill(start, 80)}")
        if doubt := lacks_mirror_images(mask) or without_phase(mask):
            print(f"\n{textwrap.fill(f'Note: {doubt}', 80)}")
        if note := about_coils(mask):
            print(f"\n{textwrap.fill(note, 80)}")


def about_coils(mask):
    """What is known of learned lines with several coils; `""` of others."""
    made = mask.provenance
    if not mask.lines or made.get("pattern") != "learned":
        return ""
    coils, kind = made.get("simulated_coils"), NETWORKS.get(made.get("network"))
    if coils and kind and kind.unrolled:
        return FOR_COILS.format(coils=coils)
    return LEARNED_LINES


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
