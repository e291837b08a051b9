"""Options of the experiment on lines for several coils."""

from experiments.presets.xpdnet import NETWORKS
from loupe_tf import command_line

OPTIONS = {
    "acceleration": (4.0, "R > 1"),
    "calibration": (
        12,
        "central lines that are always acquired, within the budget; maps are "
        "estimated from them",
    ),
    "coils": (8, "number of simulated coils"),
    "snr": (30.0, "in dB"),
    "phase": (1.0, "standard deviation of the images' phase, in radians"),
    "iterations": (5, "iterations of an unrolled network"),
    "filters": (16, "channels of the network, at its finest scale"),
    "depth": (4, "scales of the network"),
    "batch-size": (8, "images per batch"),
    "learning-rate": (3e-3, "learning rate of Adam"),
    "slope": (20.0, "initial slope of 4S"),
    "patience": (2, "patience of 4S, in epochs"),
    "seed": (0, "seed of everything"),
}
"""The default and the help of each option."""


def parse(doc, arguments=None):
    """Parse the options of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        An `argparse.Namespace`.
    """
    parser = command_line.argument_parser(doc)
    add = parser.add_argument
    add("--test", required=True, help="file of the scan's k-space")
    add("--key", help="name of the array in an HDF5 file")
    command_line.add_data_options(parser, "mni_brain/64")
    add("--out", default="runs/coil_lines", help="folder (%(default)s)")
    add(
        "--network",
        choices=NETWORKS,
        default="unet",
        help="the network that rebuilds the images (%(default)s)",
    )
    add("--lines", choices=["columns", "rows"], default="columns")
    add(
        "--epochs",
        type=int,
        nargs=2,
        default=[24, 8],
        metavar=("FIRST", "SECOND"),
        help="maximum epochs of the two rounds (%(default)s)",
    )
    for name, (default, text) in OPTIONS.items():
        text = f"{text} (%(default)s)"
        add(f"--{name}", type=type(default), default=default, help=text)
    options = parser.parse_args(arguments)
    if options.calibration < 7:
        parser.error("--calibration: expected 7 lines or more, for ESPIRiT")
    return options
