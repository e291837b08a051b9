"""The options that several commands have: the same thing has the same name.

An option that takes several values has the name of one of them.
"""

import argparse

from loupe_tf.command_line import add_data_options

GOES_ON = "Stopped. The same command goes on from here."
"""The message after Ctrl-C of a command that leaves a folder of results."""


def settings_of(options):
    """Dict of what was asked for, by the names of the options in Python."""
    own = ("run", "stopped")
    return {k: v for k, v in vars(options).items() if k not in own}


def add_command(commands, name, text, doc):
    """Add a command whose help teaches.

    Args:
        commands: What `argparse.ArgumentParser.add_subparsers` returns.
        name: String.
        text: String, one line for the list of commands.
        doc: String. The first paragraph becomes the description, the others,
            as they stand, the epilog.

    Returns:
        The parser of the command.
    """
    description, _, epilog = doc.partition("\n\n")
    return commands.add_parser(
        name,
        help=text,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_data(command, default=None):
    """Add `--data` and `--data-dir`, for `loupe_tf.datasets.load_splits`.

    Args:
        command: Parser of the command.
        default: (Optional) string, of `--data`.
    """
    add_data_options(command, default)


def add_data_dir(command):
    """Add `--data-dir` alone."""
    command.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where TFDS keeps its data (default: its own)",
    )


def add_volumes(command):
    """Add the options that say how the files of a folder are read."""
    command.add_argument(
        "--include",
        nargs="+",
        metavar="PATTERN",
        help="which volumes of a folder, by their path in it: '*FLAIR*'",
    )
    command.add_argument(
        "--exclude",
        nargs="+",
        metavar="PATTERN",
        help="which of them not",
    )
    command.add_argument(
        "--slice-axis",
        type=int,
        choices=[0, 1, 2],
        help="the axis that counts slices: of NIfTI files (default: the one of "
        "the longest voxels, else the last), and of DICOM series of 3-D scans "
        "(0: along the width of their images, 1: along their height, default: "
        "across them); for points of a 3-D scan, that of the read-out",
    )


def add_on_bad_volume(command, default):
    """Add `--on-bad-volume`: stop or skip."""
    command.add_argument(
        "--on-bad-volume",
        choices=["stop", "skip"],
        default=default,
        help="stop at the first bad volume, or leave bad volumes out, and name "
        "them (%(default)s; build stops by default and inspect, which only "
        "looks, skips)",
    )


def add_out(command, default, text):
    """Add `--out`, a folder that gets results."""
    command.add_argument(
        "--out", metavar="DIR", default=default, help=f"{text} (%(default)s)"
    )


def add_field_of_view(command, text=""):
    """Add `--fov`, H and W in mm; the help ends with the text."""
    return command.add_argument(
        "--fov",
        dest="field_of_view",
        nargs=2,
        type=float,
        metavar=("H", "W"),
        help=f"size of the image in mm{text}",
    )


def add_phase(command, text):
    """Add `--phase`, for `loupe_tf.cli.phase`; the help ends with the text."""
    command.add_argument(
        "--phase",
        type=float,
        nargs="?",
        const=1.0,
        metavar="RADIANS",
        help="give each magnitude image a smooth random phase of this standard "
        f"deviation (1 if none is given; no phase without the option). {text}",
    )


def add_seed(command, text):
    """Add `--seed`, 0 by default."""
    command.add_argument(
        "--seed", type=int, default=0, help=f"{text} (%(default)s)"
    )


def add_lines(command, text):
    """Add `--lines`, columns or rows."""
    command.add_argument("--lines", choices=("columns", "rows"), help=text)


def add_calibration(command, text):
    """Add `--calibration`; the help ends with the text."""
    command.add_argument(
        "--calibration",
        type=int,
        metavar="N",
        help="lines, or side of the square, at the centre of k-space that "
        + text,
    )
