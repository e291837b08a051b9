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


def add_options(parser, **options):
    """Add settings that one may want to change.

    Args:
        parser: What `argument_parser` returns.
        **options: Help by the name of the setting, or a tuple: how help names
            the value, and the help. The type is that of the presets: an
            integer, a float, or a list of one of these.

    Example:

    ```python
    add_options(parser, slopes=("S", "fixed slopes"), depth="of the U-Net")
    ```
    """
    preset = next(iter(parser.get_default("_presets").values()))
    for name, words in options.items():
        metavar, text = ("N", words) if isinstance(words, str) else words
        kind = {"metavar": metavar, "help": text, "type": type(preset[name])}
        if isinstance(preset[name], list):
            kind |= {"type": type(preset[name][0]), "nargs": "+"}
        parser.add_argument(f"--{name.replace('_', '-')}", **kind)


def add_training_options(parser):
    """Add those settings of `TRAINING` that one may want to change.

    Args:
        parser: What `argument_parser` returns.
    """
    parser.add_argument(
        "--epochs",
        type=int,
        nargs=2,
        metavar=("FIRST", "SECOND"),
        help="the most epochs of the two rounds",
    )
    add_options(
        parser,
        accelerations=("R", "R > 1"),
        filters="of the finest scale",
        depth="scales of the U-Net",
        batch_size="images in a batch",
    )


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
