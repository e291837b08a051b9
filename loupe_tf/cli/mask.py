"""`loupe-tf mask`: masks are made, shown, converted, compared."""

import argparse

from loupe_tf.cli import compare, convert, make_mask, show
from loupe_tf.cli.masks import describe_files

DOC = """\
Make sampling masks of a pattern, look at masks, convert them, compare two.

examples:
  loupe-tf train --demo
  loupe-tf mask show runs/demo/mask.npz
  loupe-tf mask convert runs/demo/mask.npz points.csv
  loupe-tf mask make poisson_disc poisson.npz --matrix 96 96
  loupe-tf mask compare runs/demo/mask.npz poisson.npz
"""


def add(commands):
    """Add the commands on masks."""
    mask = commands.add_parser(
        "mask",
        help="make masks, look at them, convert them, compare two",
        usage="%(prog)s COMMAND [options]",
        description=DOC,
        epilog=describe_files(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    mask.set_defaults(run=lambda options: mask.print_help())
    # Their usage would begin with all of this one otherwise.
    things = mask.add_subparsers(
        metavar="COMMAND", title="commands", prog=mask.prog
    )
    for command in (make_mask, show, convert, compare):
        command.add(things)
