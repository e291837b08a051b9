"""`loupe-tf trajectory`: curves through k-space are made, shown, converted."""

import argparse

from loupe_tf.cli import (
    convert_trajectory,
    make_trajectory,
    show_trajectory,
)
from loupe_tf.cli.trajectories import describe_files

DOC = """\
Make curves that a scanner can run and whose samples follow a density.

examples:
  loupe-tf train --demo
  loupe-tf trajectory make runs/demo/model.keras --shots 16 --samples 512 \\
      --hardware prisma --out curves.npz curves.png curves.seq
  loupe-tf trajectory show curves.npz --hardware skyra
  loupe-tf trajectory convert curves.npz curves.mrd
"""


def add(commands):
    """Add the commands on trajectories."""
    trajectory = commands.add_parser(
        "trajectory",
        help="make curves that a scanner can run, from a learned density",
        usage="%(prog)s COMMAND [options]",
        description=DOC,
        epilog=describe_files(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    trajectory.set_defaults(run=lambda options: trajectory.print_help())
    things = trajectory.add_subparsers(
        metavar="COMMAND", title="commands", prog=trajectory.prog
    )
    for command in (make_trajectory, show_trajectory, convert_trajectory):
        command.add(things)
