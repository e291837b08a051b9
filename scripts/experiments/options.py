"""What is typed: options of the command line that all experiments have."""

from loupe_tf import command_line


def argument_parser(doc, name, presets, sizes):
    """Parser with the options that all experiments have.

    Args:
        doc: String, the docstring of the script.
        name: String, of the experiment; in the default of `--out`.
        presets: Dict of settings by the name of the preset, one of which is
            `"smoke"`, the default.
        sizes: String, how large the presets are, for `--help`.

    Returns:
        An `argparse.ArgumentParser` with `--preset`, `--data`, `--data-dir`,
        `--out` and `--seeds`, to which a script adds its own, without
        defaults: those are the preset's.
    """
    parser = command_line.argument_parser(doc)
    add = parser.add_argument
    add(
        "--preset",
        choices=list(presets),
        default="smoke",
        help=f"{sizes} (%(default)s). Other options win",
    )
    command_line.add_data_options(parser)
    add("--out", help=f"folder of the results (runs/{name}_PRESET)")
    add("--seeds", type=int, nargs="+", metavar="N")
    parser.set_defaults(_name=name, _presets=presets)
    return parser


def add_training_options(parser):
    """Add those settings of `TRAINING` that one may want to change.

    Args:
        parser: What `argument_parser` returns.
    """
    add = parser.add_argument
    add("--accelerations", type=float, nargs="+", metavar="R", help="R > 1")
    add(
        "--epochs",
        type=int,
        nargs=2,
        metavar=("FIRST", "SECOND"),
        help="the most epochs of the two rounds",
    )
    add("--filters", type=int, metavar="N", help="of the finest scale")
    add("--depth", type=int, metavar="N", help="scales of the U-Net")
    add("--batch-size", type=int, metavar="N", help="images in a batch")


def parse(parser, arguments=None):
    """The settings of an experiment: those of the preset, unless given.

    Accelerations that are not above 1 are refused, as the parser refuses.

    Args:
        parser: What `argument_parser` returns.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict with the settings of the preset, `data_dir`, `out` and `preset`.
    """
    options = vars(parser.parse_args(arguments))
    name, presets = options.pop("_name"), options.pop("_presets")
    given = {k: v for k, v in options.items() if v is not None}
    preset = options["preset"]
    settings = {
        "data_dir": None,
        "out": f"runs/{name}_{preset}",
        **presets[preset],
        **given,
    }
    for value in settings.get("accelerations", ()):
        if not 1 < value < float("inf"):
            parser.error(f"--accelerations: expected R > 1, not {value:g}")
    return settings
