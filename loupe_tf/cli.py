"""The command `loupe-tf`: show, convert, compare masks; export models.

It needs NumPy and Matplotlib, and what the extra `export` brings for ISMRMRD
and Pulseq; Keras is imported for models alone.
"""

import argparse
import pathlib
import sys

import numpy as np

from loupe_tf.command_line import Parser, exit_code
from loupe_tf.masks.acquisition_order import ORDERS
from loupe_tf.masks.centre import centred
from loupe_tf.masks.description import density_profile, overlap, side_lobe
from loupe_tf.masks.files.mask_files import FORMATS, SUFFIXES, save_mask
from loupe_tf.masks.sampling_mask import load_mask
from loupe_tf.report import save_figure, text_table
from loupe_tf.version import __version__

FILES = """\
formats, by the suffix of the file:
  .npz        all, as `SamplingMask.save` writes it
  .npy        the boolean array alone
  .json       all, as text
  .csv        all; the acquired entries one by one, in order of acquisition
  .cfl .hdr   BART's pattern, 1 and 0, (H, W)
  .h5 .hdf5   fastMRI's `mask`; columns only (or ISMRMRD: --format ismrmrd)
  .mrd        ISMRMRD: encoding, limits and the list of acquisitions
  .seq        Pulseq: a spoiled gradient-echo protocol; lines only

DC lies in the centre, at (H // 2, W // 2). A mask that is densest around the
corner (0, 0) is refused; --shift moves DC to the centre, --as-is takes the
mask as it is.
"""

SHOW = """\
Print what a mask is: acceleration asked for and achieved, calibration region,
density by distance from DC, and the point-spread function with its largest
side lobe and its place. With --out, draw it.
"""

SHOW_EXAMPLES = """\
examples:
  loupe-tf mask show mask.npz
  loupe-tf mask show mask.npz --out mask.png
  loupe-tf mask show pattern.cfl --shift
"""

CONVERT = """\
Write a mask in another format. The file appears at once and whole: after an
error, what was there before is there still.
"""

CONVERT_EXAMPLES = """\
examples:
  a pattern for `bart pics -p pattern`:
    loupe-tf mask convert mask.npz pattern.cfl
  a list of lines for a scanner, from the centre outwards:
    loupe-tf mask convert mask.npz lines.csv --order centre_out
  ISMRMRD, with the size of the image in mm:
    loupe-tf mask convert mask.npz mask.mrd --fov 240 240
  a gradient-echo protocol; times in ms:
    loupe-tf mask convert mask.npz scan.seq --fov 240 240 --te 5 --tr 20
  a mask of lines that does not know their length:
    loupe-tf mask convert old.npz pattern.cfl --matrix 320 320
"""

COMPARE = """\
Put two masks of one size side by side: overlap, density, point-spread function
and side lobes. Lines are compared with points along the whole of k-space.
"""

COMPARE_EXAMPLES = """\
examples:
  loupe-tf mask compare learned.npz poisson.npz
  loupe-tf mask compare learned.npz lines.seq --out both.png
"""

EXPORT = """\
Write a trained model, from k-space that was measured to the image, as a file
that runs without this package: ONNX (for which the extra `onnx` is needed) or
a TensorFlow SavedModel. What goes in and comes out is written into it.
"""

EXPORT_EXAMPLES = """\
examples:
  for ONNX Runtime:
    loupe-tf export model.keras model.onnx
  a folder for TensorFlow Serving, for several coils with their maps:
    loupe-tf export model.keras served/1 --maps
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
    "dummy_scans",
)


def main(arguments=None):
    """Run the command.

    Args:
        arguments: (Optional) list of words; by default those of the process.

    Returns:
        An exit code, see `loupe_tf.command_line.exit_code`.
    """
    options = parser().parse_args(arguments)
    return exit_code(options.run, options, interrupted="Stopped.")


def parser():
    """Parser of the command `loupe-tf`."""
    top = Parser(
        prog="loupe-tf",
        description="Tools for learned sampling masks, and their models.",
    )
    top.add_argument("--version", action="version", version=__version__)
    top.set_defaults(run=lambda options: top.print_help())
    things = top.add_subparsers(metavar="THING")
    mask = things.add_parser(
        "mask",
        help="look at masks, convert them, compare two",
        description="Look at sampling masks, convert them, compare two.",
        epilog=FILES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    mask.set_defaults(run=lambda options: mask.print_help())
    commands = mask.add_subparsers(metavar="COMMAND")

    show = _command(commands, "show", "describe one mask", SHOW, SHOW_EXAMPLES)
    show.add_argument("mask", help="file of a mask")
    _add_reading(show)
    show.add_argument("--out", metavar="PNG", help="draw it into this file")
    show.set_defaults(run=_show)

    convert = _command(
        commands,
        "convert",
        "write a mask in another format",
        CONVERT,
        CONVERT_EXAMPLES,
    )
    convert.add_argument("mask", help="file of a mask")
    convert.add_argument("out", help="file to write")
    _add_reading(convert)
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
    convert.add_argument(
        "--fov",
        dest="field_of_view",
        nargs=2,
        type=float,
        metavar=("H", "W"),
        help="size of the image in mm, which ISMRMRD and Pulseq need (that of "
        "the mask)",
    )
    convert.add_argument(
        "--order",
        choices=ORDERS,
        help="of acquisition, for CSV, ISMRMRD and Pulseq (linear); smooth "
        "keeps jumps small, for eddy currents",
    )
    convert.add_argument("--seed", type=int, help="of --order shuffled (0)")
    protocol = convert.add_argument_group("Pulseq (and ISMRMRD: thickness)")
    for name, text in (
        ("slice-thickness", "in mm (5)"),
        ("te", "echo time in ms (the shortest)"),
        ("tr", "repetition time in ms (the shortest)"),
        ("flip-angle", "in degrees (15)"),
        ("bandwidth", "of the receiver in Hz for a pixel (250)"),
    ):
        metavar = name.rpartition("-")[2].upper()
        protocol.add_argument(
            f"--{name}", type=float, metavar=metavar, help=text
        )
    protocol.add_argument(
        "--dummy-scans",
        type=int,
        metavar="N",
        help="excitations before the first line (16)",
    )
    convert.set_defaults(run=_convert)

    compare = _command(
        commands,
        "compare",
        "put two masks side by side",
        COMPARE,
        COMPARE_EXAMPLES,
    )
    compare.add_argument("masks", nargs=2, metavar="mask", help="two files")
    _add_reading(compare)
    compare.add_argument("--out", metavar="PNG", help="draw both into this")
    compare.set_defaults(run=_compare)

    export = things.add_parser(
        "export",
        help="write a model as ONNX or SavedModel",
        description=EXPORT,
        epilog=EXPORT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("model", help="file of a model, .keras")
    export.add_argument("out", help=".onnx file, or folder of a SavedModel")
    export.add_argument(
        "--maps",
        action="store_true",
        help="take k-space of several coils, and their sensitivity maps",
    )
    export.set_defaults(run=_export)
    return top


def description(mask):
    """What `show` prints of a mask, as a text of several lines."""
    lobe = side_lobe(mask)
    rows = [
        ("acquires", mask.lines or "points"),
        ("shape", f"{mask.shape[0]}×{mask.shape[1]}, DC at N // 2"),
        ("DC itself", _dc(mask)),
        ("matrix", _size(mask.matrix)),
        ("field of view", _size(mask.field_of_view, " mm")),
        ("acquired", f"{mask.acquired} of {mask.array.size}"),
        ("R asked for", f"{mask.acceleration:.4g}"),
        ("R achieved", f"{mask.achieved_acceleration:.4g}"),
        (
            "R outside calibration",
            f"{mask.acceleration_outside_calibration:.4g}",
        ),
        ("calibration", _calibration(mask.calibration)),
        ("slope", "not known" if mask.slope is None else f"{mask.slope:g}"),
        ("largest side lobe", _lobe(lobe)),
        ("largest off peak", f"{lobe['off_peak']:.3f}"),
    ]
    for name, value in mask.provenance.items():
        text = str(value)
        rows.append((name, text if len(text) <= 70 else f"{text[:67]}..."))
    width = max(len(name) for name, _ in rows)
    facts = "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
    edges, shares = density_profile(mask, 8)
    density = text_table(
        ["distance from DC", "share acquired"], _rings(edges, shares)
    )
    return f"{facts}\n\n{density}"


def _dc(mask):
    if mask.array[tuple(n // 2 for n in mask.shape)]:
        return "acquired"
    # Of learned masks those without DC were 0.3 to 1.7 dB worse for their own
    # network, and up to 13 dB for all others: docs/results/mask_transfer.md.
    return "NOT acquired: of little use but to a network trained for it"


def comparison(masks):
    """What `compare` prints of two masks by name."""
    (first, mask), (second, other) = masks.items()
    common = overlap(mask, other)
    lobes = [side_lobe(one) for one in (mask, other)]
    edges, shares = density_profile(mask, 8)
    if mask.lines == other.lines and mask.shape == other.shape:
        rings = _rings(edges, shares, density_profile(other, 8)[1])
    else:  # Distances of lines and of points do not compare.
        rings = []
    pairs = (mask, other)
    both = list(zip(pairs, lobes, strict=True))
    table = [
        ["acquires", *(m.lines or "points" for m in pairs)],
        ["acquired", *(f"{m.acquired} of {m.array.size}" for m in pairs)],
        ["R asked for", *(f"{m.acceleration:.4g}" for m in pairs)],
        ["R achieved", *(f"{m.achieved_acceleration:.4g}" for m in pairs)],
        ["calibration", *(_calibration(m.calibration) for m in pairs)],
        ["largest side lobe", *(_lobe(lobe) for _, lobe in both)],
        ["largest off peak", *(f"{lobe['off_peak']:.3f}" for _, lobe in both)],
        [
            "also in the other",
            f"{common['share']:.1%}",
            f"{common['other_share']:.1%}",
        ],
    ]
    text = text_table(["", first, second], table)
    text += (
        f"\n\nboth {common['intersection']}, either {common['union']}: "
        f"{common['jaccard']:.1%}; by chance {common['expected_share']:.1%} of "
        f"{first} would be in {second}"
    )
    if rings:
        header = ["density by distance from DC", first, second]
        text += "\n\n" + text_table(header, rings)
    return text


def _show(options):
    mask = _load(options.mask, options)
    print(description(mask))
    if options.out:
        from loupe_tf import plots

        (title,) = _titles([options.mask])
        save_figure(plots.mask_description(mask, title), options.out)
        print(f"\n{options.out}")


def _convert(options):
    mask = _load(options.mask, options)
    changes = {"matrix": options.matrix, "field_of_view": options.field_of_view}
    mask = mask.replace(**{k: v for k, v in changes.items() if v is not None})
    given = {name: getattr(options, name) for name in OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    save_mask(mask, options.out, options.format, shift=False, **given)
    print(f"{options.out}: {mask}")


def _compare(options):
    names = options.masks
    if names[0] == names[1]:
        raise ValueError(
            "Invalid value for argument `masks`. Expected two different "
            f"files. Received: {names[0]} twice"
        )
    loaded = [_load(name, options) for name in names]
    masks = dict(zip(_titles(names), loaded, strict=True))
    print(comparison(masks))
    if options.out:
        from loupe_tf import plots

        save_figure(plots.mask_comparison(masks), options.out)
        print(f"\n{options.out}")


def _export(options):
    # Models first: Keras must know their layers.
    from loupe_tf import models  # noqa: F401
    from loupe_tf.export import export_model

    export_model(options.model, options.out, maps=options.maps)
    print(options.out)


def _titles(paths):
    """Names of files, as short as they can be and still differ."""
    names = [pathlib.Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else paths


def _load(path, options):
    given = {}
    if options.encoding is not None:
        given["encoding"] = options.encoding
    if options.lines is not None:
        given["lines"] = options.lines
    mask = load_mask(path, options.from_format, options.shift, **given)
    # Of files that say where DC is, too: they may have been told wrongly.
    return mask if options.shift is not None else centred(mask)


def _command(commands, name, text, doc, epilog):
    return commands.add_parser(
        name,
        help=text,
        description=doc,
        epilog=f"{epilog}\n{FILES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_reading(command):
    shift = command.add_mutually_exclusive_group()
    shift.add_argument(
        "--shift",
        action="store_const",
        const=True,
        help="move DC from the corner",
    )
    shift.add_argument(
        "--as-is",
        dest="shift",
        action="store_const",
        const=False,
        help="take DC to be in the centre",
    )
    command.add_argument(
        "--from-format",
        choices=FORMATS,
        help=f"of the file read, if its suffix is none of {' '.join(SUFFIXES)}",
    )
    command.add_argument(
        "--encoding",
        type=int,
        metavar="N",
        help="encoding space of an ISMRMRD file (0)",
    )
    command.add_argument(
        "--lines",
        choices=("columns", "rows"),
        help="what the lines of an ISMRMRD measurement are (columns)",
    )


def _rings(edges, *shares):
    return [
        [f"{low:.2f}–{high:.2f}"]
        + ["" if np.isnan(v) else f"{v:.3f}" for v in values]
        for low, high, *values in zip(edges, edges[1:], *shares)
    ]


def _size(size, unit=""):
    if size is None:
        return "not known"
    return "×".join(f"{n:g}" for n in size) + unit


def _calibration(calibration):
    if isinstance(calibration, tuple):
        return _size(calibration)
    return str(calibration or "none")


def _lobe(lobe):
    return f"{lobe['height']:.3f} at {lobe['place']}"


if __name__ == "__main__":
    sys.exit(main())
