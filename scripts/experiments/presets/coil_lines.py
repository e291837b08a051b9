"""Options of the experiment on lines for several coils."""

from loupe_tf import command_line

OPTIONS = {
    "acceleration": (4.0, "R > 1"),
    "calibration": (
        12,
        "central lines that are always acquired, inside the budget; maps are "
        "estimated from them",
    ),
    "coils": (8, "that are simulated"),
    "snr": (30.0, "in dB"),
    "phase": (1.0, "deviation of the images' phase, in radians"),
    "filters": (16, "of the U-Net"),
    "depth": (4, "of the U-Net"),
    "batch-size": (8, "images in a batch"),
    "learning-rate": (3e-3, "of Adam"),
    "slope": (20.0, "that 4S raises"),
    "patience": (2, "epochs, of 4S"),
    "seed": (0, "of everything"),
}
"""By name the default and what help says of it."""


def parse(doc, arguments=None):
    """The options of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        An `argparse.Namespace`.
    """
    parser = command_line.argument_parser(doc)
    add = parser.add_argument
    add("--test", required=True, help="file of the scan's k-space")
    add("--key", help="of an HDF5 file: which array")
    command_line.add_data_options(parser, "mni_brain/64")
    add("--out", default="runs/coil_lines", help="folder (%(default)s)")
    add("--lines", choices=["columns", "rows"], default="columns")
    add(
        "--epochs",
        type=int,
        nargs=2,
        default=[24, 8],
        metavar=("FIRST", "SECOND"),
        help="the most epochs of the two rounds (%(default)s)",
    )
    for name, (default, text) in OPTIONS.items():
        text = f"{text} (%(default)s)"
        add(f"--{name}", type=type(default), default=default, help=text)
    options = parser.parse_args(arguments)
    if options.calibration < 7:
        parser.error("--calibration: expected 7 lines or more, for ESPIRiT")
    return options
