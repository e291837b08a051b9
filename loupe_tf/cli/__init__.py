"""The command `loupe-tf`: from a folder of volumes to a mask and its images.

One file a command: `add` says what its options are, `run` does it, and imports
what it needs, so that every help is there at once. What `loupe_tf.cli.mask`
does needs NumPy and Matplotlib, and what the extra `export` brings for ISMRMRD
and Pulseq.
"""

import argparse

from loupe_tf.cli import (
    build,
    evaluate,
    export,
    inspect,
    mask,
    reconstruct,
    train,
    trajectory,
)
from loupe_tf.command_line import Parser, exit_code
from loupe_tf.version import __version__

COMMANDS = (
    inspect,
    build,
    train,
    evaluate,
    mask,
    trajectory,
    reconstruct,
    export,
)
"""In order of use."""

DOC = """\
Learn which samples of k-space a scanner should acquire.

examples:
  a first try on simulated brains, in minutes:
    loupe-tf train --demo
  DICOM, NIfTI or HDF5 files; lines for a 2-D scan with 8 coils:
    loupe-tf build mri_volumes/mine --data scans/ --data-dir data/ \\
        --field-of-view
    loupe-tf train --data mri_volumes/mine --data-dir data/ \\
        --lines columns --coils 8 --peak-snr 50 --batch-size 4 \\
        --epochs 30 10 --out runs/mine
    loupe-tf mask convert runs/mine/mask.npz scan.seq
  the images of a scan with that mask:
    loupe-tf reconstruct scan.mrd --model runs/mine/model.keras --maps espirit
  .npy files, an array (slices, H, W) each; a U-Net for one coil, as ONNX:
    loupe-tf train --data my_volumes/ --phase --filters 8 --epochs 30 10 \\
        --out runs/unet
    loupe-tf export runs/unet/model.keras model.onnx
"""

MORE = """\
`loupe-tf COMMAND --help` says more, with examples. In every command, --data is
what is read, --data-dir where TFDS keeps its data, and --out where results go.
Ctrl-C stops a command; one that leaves a folder of results goes on when it is
given again.
"""


def main(arguments=None):
    """Run the command.

    Args:
        arguments: (Optional) list of words; by default those of the process.

    Returns:
        An exit code, see `loupe_tf.command_line.exit_code`.
    """
    options = parser().parse_args(arguments)
    stopped = getattr(options, "stopped", "Stopped.")
    return exit_code(options.run, options, interrupted=stopped)


class Help(argparse.RawDescriptionHelpFormatter):
    """Leaves room for the longest command, which argparse forgets to indent."""

    def __init__(self, prog):
        super().__init__(prog)
        self._action_max_length = len("reconstruct") + 4


def parser():
    """Parser of the command `loupe-tf`."""
    top = Parser(
        prog="loupe-tf",
        usage="%(prog)s COMMAND [options]",
        description=DOC,
        epilog=MORE,
        formatter_class=Help,
    )
    top.add_argument("--version", action="version", version=__version__)
    top.set_defaults(run=lambda options: top.print_help())
    commands = top.add_subparsers(
        metavar="COMMAND",
        title="commands, in order of use",
        # Their usage would begin with all of this one otherwise.
        prog=top.prog,
    )
    for command in COMMANDS:
        command.add(commands)
    return top
