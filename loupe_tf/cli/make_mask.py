"""`loupe-tf mask make`: a mask of a fixed pattern."""

import inspect

from loupe_tf.checks import invalid
from loupe_tf.cli.masks import add_command, size_text
from loupe_tf.cli.vocabulary import (
    add_calibration,
    add_field_of_view,
    add_lines,
    add_seed,
)
from loupe_tf.command_line import meaning, stands_for
from loupe_tf.masks.files.mask_files import save_mask
from loupe_tf.masks.fixed_mask import PATTERNS
from loupe_tf.masks.patterns import (
    CALIBRATION_SHARE,
    default_calibration,
    regular_lines,
)
from loupe_tf.masks.regular_points import regular_points

# They have no budget, so they are none of `PATTERNS`.
REGULAR_LINES, REGULAR_POINTS = REGULAR = "regular_lines", "regular_points"

DOC = """\
Make a mask that is not learned, to compare a learned one with, or to scan with.

examples:
  fastMRI's lines, for a 2-D scan:
    loupe-tf mask make equispaced_lines lines.npz --matrix 320 320
  the lines of GRAPPA on a scanner:
    loupe-tf mask make regular_lines grappa.npz --matrix 320 320 --spacing 4 \\
        --calibration 24
  rows, with the size of the image in mm:
    loupe-tf mask make central_lines rows.npz --matrix 320 256 --lines rows \\
        --acceleration 3 --fov 220 176
  points, for a 3-D scan whose phase encodings are H and W:
    loupe-tf mask make poisson_disc points.npz --matrix 192 160 \\
        --calibration 24
  2D CAIPIRINHA, 2 times 2 with a shift of 1:
    loupe-tf mask make regular_points caipirinha.npz --matrix 192 160 \\
        --spacing 2 2 --row-shift 1 --calibration 24

A pattern keeps exactly the budget, 1/R of all lines or points. So the lines of
equispaced_lines have distances that differ by one: 5 and 6, for example, for 64
lines at R = 4 with 5 calibration lines. On a scanner the distance is an
integer, and the calibration region is added: regular_lines and regular_points
do so, with --spacing in the place of --acceleration, and R is then a result.

Tune the density of poisson_disc and gaussian before you compare a learned mask
with them. For total variation on FLAIR images of five patients (64x64, R = 4),
these were chosen (docs/results/mask_transfer.md, "Tuned rivals"):
  one coil    poisson_disc --growth 4 --crop-corners (a growth of 2 to 8);
              gaussian --std 0.4, the default
  four coils, a peak SNR of 200
              poisson_disc with its defaults; gaussian --std 0.6
"""
# Arguments of some patterns alone.
SHAPE = ("std", "growth", "corners")


def add(commands):
    """Add the command to those on masks."""
    make = add_command(
        commands,
        "make",
        "make a mask of a pattern",
        DOC,
        "PATTERN OUT --matrix H W",
        reads=False,
    )
    patterns = [name for name, p in PATTERNS.items() if not p.of_images]
    patterns += REGULAR
    make.add_argument(
        "pattern",
        metavar="PATTERN",
        choices=patterns,
        help=f"one of {', '.join(patterns)}",
    )
    make.add_argument("out", metavar="OUT", help="file to write")
    make.add_argument(
        "--matrix",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        required=True,
        help="size of k-space",
    )
    make.add_argument(
        "--acceleration",
        type=float,
        metavar="R",
        help="R > 1: a share 1/R of k-space is acquired (default: 4)",
    )
    make.add_argument(
        "--spacing",
        type=int,
        nargs="+",
        metavar="N",
        help=f"{REGULAR_LINES}: the distance of two lines; {REGULAR_POINTS}: "
        "DY DX, the distances of two rows and of two points of a row; in the "
        "place of --acceleration",
    )
    shift = make.add_argument(
        "--row-shift",
        type=int,
        metavar="N",
        help=f"{REGULAR_POINTS}: how far its points move from one row to the "
        "next, below DX (default: 0)",
    )
    stands_for(shift, "shift")
    add_lines(
        make,
        "the kind of lines, for patterns of lines: columns if phase is encoded "
        "along W, rows if along H (default: columns)",
    )
    add_calibration(
        make,
        "are always acquired, inside the budget or, with --spacing, added to "
        f"the others (default: {CALIBRATION_SHARE}/R of the lines, or of the "
        "shorter side)",
    )
    add_options_of_shape(make.add_argument_group("of some patterns"))
    add_field_of_view(make, " (default: not known)")
    add_seed(make, "seed of the pattern")
    make.set_defaults(run=run)


def add_options_of_shape(group):
    """Add those that say how dense a random pattern is, and where."""
    add = group.add_argument
    add(
        "--std",
        type=float,
        metavar="X",
        help="gaussian, gaussian_lines: standard deviation of the density, as "
        "a fraction of half the width and height of k-space (default: 0.4)",
    )
    add(
        "--growth",
        type=float,
        metavar="X",
        help="poisson_disc: growth of the distance between points from DC to "
        "the edge; 0 is uniform, 1 doubles the distance (default: 1)",
    )
    add(
        "--crop-corners",
        dest="corners",
        action="store_const",
        const=False,
        help="poisson_disc: no points outside the ellipse that touches the "
        "edges of k-space",
    )


def shape_of(options):
    """Arguments of the pattern that the options of shape give.

    Args:
        options: `argparse.Namespace`.

    Raises:
        ValueError: If the pattern has no such argument.
    """
    given = {name: getattr(options, name) for name in SHAPE}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        having = [
            other
            for other, pattern in PATTERNS.items()
            if name in inspect.signature(pattern.make).parameters
        ]
        if options.pattern not in having:
            raise invalid(
                name,
                f"the pattern {' or '.join(having)} with it",
                found=f"{options.pattern}",
            )
    return given


def run(options):
    """Run the command."""
    mask = _regular(options) if options.pattern in REGULAR else _of(options)
    mask = mask.replace(field_of_view=options.field_of_view)
    with meaning(path="out", format=None):
        save_mask(mask, options.out, shift=False)
    print(f"{options.out}: {mask}")
    if mask.field_of_view is not None:
        print(f"field of view {size_text(mask.field_of_view, ' mm')}")


def _regular(options):
    """Make lines or points of integer distances."""
    pattern = options.pattern
    if options.acceleration is not None:
        raise invalid(
            "acceleration",
            f"none for {pattern}, whose R follows from --spacing",
            options.acceleration,
        )
    shape_of(options)  # It refuses those of other patterns.
    distances = {REGULAR_LINES: "one integer", REGULAR_POINTS: "two integers"}
    numbers = options.spacing or []
    if len(numbers) != REGULAR.index(pattern) + 1:
        raise invalid(
            "spacing", f"{distances[pattern]}, for {pattern}", options.spacing
        )
    matrix = tuple(options.matrix)
    if pattern == REGULAR_POINTS:
        _refuse_lines(options)
        shift = options.row_shift or 0
        return regular_points(matrix, numbers, shift, options.calibration)
    _refuse_row_shift(options)
    lines = options.lines or "columns"
    return regular_lines(matrix, *numbers, options.calibration, lines)


def _refuse_row_shift(options):
    """Refuse `--row-shift` for all other patterns."""
    if options.row_shift is not None:
        raise invalid(
            "row_shift", f"none, unless for {REGULAR_POINTS}", options.row_shift
        )


def _refuse_lines(options):
    """Refuse `--lines` for points."""
    if options.lines:
        names = [name for name, p in PATTERNS.items() if p.of_lines]
        raise invalid(
            "lines",
            f"none, since {options.pattern} has points; of lines are "
            + ", ".join([*names, REGULAR_LINES]),
            options.lines,
        )


def _of(options):
    """Make a mask of one of `PATTERNS`."""
    if options.spacing is not None:
        raise invalid(
            "spacing",
            f"none, unless for {' or '.join(REGULAR)}",
            options.spacing,
        )
    _refuse_row_shift(options)
    pattern = PATTERNS[options.pattern]
    matrix = tuple(options.matrix)
    rate = 4.0 if options.acceleration is None else options.acceleration
    arguments = {"calibration": options.calibration, "seed": options.seed}
    arguments |= shape_of(options)
    if options.lines:
        if not pattern.of_lines:
            _refuse_lines(options)
        arguments["lines"] = options.lines
    elif options.calibration is None and not pattern.of_lines:
        arguments["calibration"] = default_calibration(matrix, rate)
    return pattern.make(matrix, rate, **arguments)
