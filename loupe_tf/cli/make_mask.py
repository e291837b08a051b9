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
from loupe_tf.command_line import meaning
from loupe_tf.masks.files.mask_files import save_mask
from loupe_tf.masks.fixed_mask import PATTERNS
from loupe_tf.masks.patterns import (
    CALIBRATION_SHARE,
    default_calibration,
    regular_lines,
)

# It has no budget, so it is none of `PATTERNS`.
REGULAR = "regular_lines"

DESCRIPTION = """\
Make a mask that is not learned, to compare a learned one with, or to scan with.
It keeps exactly the budget, 1/R of all lines or points. So the lines of
equispaced_lines, fastMRI's pattern, have distances that differ by one: 5 and 6,
for example, for 64 lines at R = 4 with 5 calibration lines. GRAPPA on a scanner
has an integer distance, and adds the calibration lines: regular_lines does so,
with --spacing, and R is then a result.
"""

EXAMPLES = """\
examples:
  loupe-tf mask make equispaced_lines mask.npz --matrix 320 320
  loupe-tf mask make regular_lines mask.npz --matrix 320 320 --spacing 4 \\
      --calibration 24
  loupe-tf mask make central_lines mask.npz --matrix 320 256 --lines rows \\
      --acceleration 3 --fov 220 176
  loupe-tf mask make poisson_disc pattern.cfl --matrix 96 96 --calibration 12
  loupe-tf mask make poisson_disc pattern.npz --matrix 192 160 --growth 2 \\
      --crop-corners --calibration 24
"""
# Arguments of some patterns alone.
SHAPE = ("std", "growth", "corners")


def add(commands):
    """Add the command to those on masks."""
    make = add_command(
        commands,
        "make",
        "make a mask of a pattern",
        DESCRIPTION,
        EXAMPLES,
        reads=False,
    )
    patterns = [name for name, p in PATTERNS.items() if not p.of_images]
    patterns.append(REGULAR)
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
        help="R > 1: a share 1/R of k-space is acquired (4)",
    )
    make.add_argument(
        "--spacing",
        type=int,
        metavar="N",
        help=f"distance of two lines of {REGULAR}, in the place of R",
    )
    add_lines(
        make,
        "the kind of lines, for patterns of lines: columns if phase is encoded "
        "along W, rows if along H (columns)",
    )
    add_calibration(
        make,
        f"are always acquired, inside the budget ({CALIBRATION_SHARE}/R of the "
        f"side); {REGULAR} adds them to its own ({CALIBRATION_SHARE}/N)",
    )
    add_options_of_shape(make.add_argument_group("of some patterns"))
    add_field_of_view(make)
    add_seed(make, "seed of the pattern")
    make.set_defaults(run=run)


def add_options_of_shape(group):
    """Add those that say how dense a random pattern is, and where."""
    add = group.add_argument
    add(
        "--std",
        type=float,
        metavar="X",
        help="gaussian: standard deviation of the density, as a fraction of "
        "half the width and height of k-space (0.4)",
    )
    add(
        "--growth",
        type=float,
        metavar="X",
        help="poisson_disc: growth of the distance between points from DC to "
        "the edge; 0 is uniform, 1 doubles the distance (1)",
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
    mask = _regular(options) if options.pattern == REGULAR else _of(options)
    mask = mask.replace(field_of_view=options.field_of_view)
    with meaning(path="out", format=None):
        save_mask(mask, options.out, shift=False)
    print(f"{options.out}: {mask}")
    if mask.field_of_view is not None:
        print(f"field of view {size_text(mask.field_of_view, ' mm')}")


def _regular(options):
    """Make lines of an integer spacing."""
    if options.acceleration is not None:
        raise invalid(
            "acceleration",
            f"none for {REGULAR}, whose R follows from --spacing",
            options.acceleration,
        )
    if options.spacing is None:
        raise invalid("spacing", f"an integer, for {REGULAR}", None)
    shape_of(options)  # It refuses those of other patterns.
    matrix, lines = tuple(options.matrix), options.lines or "columns"
    return regular_lines(matrix, options.spacing, options.calibration, lines)


def _of(options):
    """Make a mask of one of `PATTERNS`."""
    if options.spacing is not None:
        raise invalid("spacing", f"none, unless for {REGULAR}", options.spacing)
    pattern = PATTERNS[options.pattern]
    matrix = tuple(options.matrix)
    rate = 4.0 if options.acceleration is None else options.acceleration
    arguments = {"calibration": options.calibration, "seed": options.seed}
    arguments |= shape_of(options)
    if options.lines:
        if not pattern.of_lines:
            raise invalid(
                "lines",
                f"none, since {options.pattern} has points; of lines are "
                + ", ".join(n for n, p in PATTERNS.items() if p.of_lines),
                options.lines,
            )
        arguments["lines"] = options.lines
    elif options.calibration is None and not pattern.of_lines:
        arguments["calibration"] = default_calibration(matrix, rate)
    return pattern.make(matrix, rate, **arguments)
