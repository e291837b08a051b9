"""The options that several commands have.

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


def add_command(commands, name, text, doc, usage="", **others):
    """Add a command whose help teaches.

    Args:
        commands: What `argparse.ArgumentParser.add_subparsers` returns.
        name: String.
        text: String, one line for the list of commands.
        doc: String. The first paragraph, one sentence, and the second, the
            examples, stand before the options; the others after them.
        usage: String, what has to be given. The list of all options would hide
            it, and the sentence.
        **others: Arguments of `add_parser`.

    Returns:
        The parser of the command.
    """
    sentence, examples, *more = doc.split("\n\n", 2)
    return commands.add_parser(
        name,
        help=text,
        usage=" ".join(f"%(prog)s {usage} [options]".split()),
        description=f"{sentence}\n\n{examples}",
        epilog="".join(more),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **others,
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
        help="where TFDS keeps its data (default: ~/tensorflow_datasets)",
    )


def add_volumes(command):
    """Add the options that say how the files of a folder are read."""
    command.add_argument(
        "--include",
        nargs="+",
        metavar="PATTERN",
        help="which volumes of a folder, by their path in it: '*FLAIR*' "
        "(default: all)",
    )
    command.add_argument(
        "--exclude",
        nargs="+",
        metavar="PATTERN",
        help="which of them not (default: none)",
    )
    command.add_argument(
        "--slice-axis",
        type=int,
        choices=[0, 1, 2],
        help="the axis that counts slices, of NIfTI files and of DICOM series "
        "of 3-D scans (0: along the width of their images, 1: along their "
        "height); for points of a 3-D scan, that of the read-out (default: the "
        "one of the longest voxels, else the last; of DICOM, across the "
        "images)",
    )


def add_on_bad_volume(command, default):
    """Add `--on-bad-volume`: stop or skip."""
    command.add_argument(
        "--on-bad-volume",
        choices=["stop", "skip"],
        default=default,
        help="stop at the first bad volume, or leave bad volumes out and name "
        "them (default: %(default)s)",
    )


def add_out(command, default, text):
    """Add `--out`, a folder that gets results."""
    command.add_argument(
        "--out",
        metavar="DIR",
        default=default,
        help=f"{text} (default: %(default)s)",
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
        f"deviation, 1 without a number. {text} (default: no phase)",
    )


def add_seed(command, text):
    """Add `--seed`, 0 by default."""
    command.add_argument(
        "--seed",
        type=int,
        metavar="N",
        default=0,
        help=f"{text} (default: %(default)s)",
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
