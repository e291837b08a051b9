"""The command `loupe-tf`: show, convert, compare masks; export models.

One file a command: `add` says what its options are, `run` does it. They need
NumPy and Matplotlib, and what the extra `export` brings for ISMRMRD and Pulseq;
Keras is imported for models alone.
"""

import argparse

from loupe_tf.cli import compare, convert, export, show
from loupe_tf.cli.masks import FILES
from loupe_tf.command_line import Parser, exit_code
from loupe_tf.version import __version__


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
    for command in (show, convert, compare):
        command.add(commands)
    export.add(things)
    return top
