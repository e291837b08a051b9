"""Command-line options that all experiments share."""

from loupe_tf import command_line

OPTIONS = {
    "accelerations": ("R", "R > 1"),
    "slopes": ("S", "fixed slopes"),
    "slope": ("S", "initial slope of 4S"),
    "first_slope": ("S", "initial slope of 4S and schedules"),
    "last_slope": ("S", "final slope of schedules"),
    "epochs": ("N", "maximum epochs of each round"),
    "patience": ("N", "patience of 4S"),
    "factor": ("M", "factor by which 4S raises s"),
    "cooldown": ("N", "cooldown of 4S"),
    "stop_patience": ("N", "epochs without improvement that end a round"),
    "lr_patience": ("N", "patience of ReduceLROnPlateau"),
    "filters": ("N", "channels at the finest scale"),
    "depth": ("N", "scales of the U-Net"),
    "batch_size": ("N", "images per batch"),
}
"""The name of a setting's value in the help, and its description."""


COUNTS = ("epochs", "batch_size", "angles", "iterations")
"""Settings of at least 1, where they are one number."""


def argument_parser(doc, name, presets, sizes):
    """Make a parser with the options that all experiments share.

    Args:
        doc: String, the docstring of the script.
        name: String, the name of the experiment, for the default of `--out`.
        presets: Dict of settings by the name of the preset; it includes
            `"smoke"`, the default.
        sizes: String, the sizes of the presets, for `--help`.

    Returns:
        An `argparse.ArgumentParser` with `--preset`, `--data`, `--data-dir`,
        `--out` and `--seeds`. A script adds its own options without defaults,
        because the preset has them.
    """
    parser = command_line.argument_parser(doc)
    add = parser.add_argument
    add(
        "--preset",
        choices=list(presets),
        default="smoke",
        help=f"{sizes} (%(default)s). Other options override it",
    )
    command_line.add_data_options(parser)
    add("--out", help=f"folder of the results (runs/{name}_PRESET)")
    add("--seeds", type=int, nargs="+", metavar="N")
    add(
        "--folds",
        type=int,
        metavar="N",
        help="test every patient once: of N folds by patient, one is tested "
        "and the next one validates (default: the splits of the data set)",
    )
    add(
        "--only-folds",
        type=int,
        nargs="+",
        metavar="K",
        help="those of --folds, from 0, that this command trains (all)",
    )
    add(
        "--report",
        action="store_true",
        default=None,
        help="train nothing and read no data: print the tables of the runs in "
        "--out, and write its report",
    )
    add(
        "--pack",
        action="store_true",
        default=None,
        help="at the end, move the records of all runs into one file, "
        "runs.jsonl, with the trace of the first seed alone",
    )
    parser.set_defaults(_name=name, _presets=presets)
    return parser


def add_options(parser, *names, **others):
    """Add options for settings.

    Args:
        parser: The result of `argument_parser`.
        *names: Names of settings in `OPTIONS`.
        **others: Further settings, with tuples as in `OPTIONS`.
    """
    preset = next(iter(parser.get_default("_presets").values()))
    described = {**{name: OPTIONS[name] for name in names}, **others}
    for name, (metavar, text) in described.items():
        kind = {"metavar": metavar, "help": text, "type": type(preset[name])}
        if isinstance(preset[name], list):
            kind |= {"type": type(preset[name][0]), "nargs": "+"}
        parser.add_argument(f"--{name.replace('_', '-')}", **kind)


def add_choices(parser, **choices):
    """Add options for settings that are some of several names.

    Args:
        parser: The result of `argument_parser`.
        **choices: For each setting, such as `methods`, the names to choose
            from.
    """
    for name, names in choices.items():
        parser.add_argument(
            f"--{name}",
            nargs="+",
            choices=names,
            metavar="NAME",
            help=f"from {', '.join(names)} (all)",
        )


def add_training_options(parser):
    """Add options for the settings of `TRAINING` that users may change.

    Args:
        parser: The result of `argument_parser`.
    """
    parser.add_argument(
        "--epochs",
        type=int,
        nargs=2,
        metavar=("FIRST", "SECOND"),
        help="maximum epochs of the two rounds",
    )
    add_options(parser, "accelerations", "lr_patience")
    add_options(parser, "filters", "depth", "batch_size")


def parse(parser, arguments=None):
    """Return the settings of an experiment: the preset and given options.

    The parser rejects accelerations that are not above 1, slopes that are not
    above 0, and numbers of `COUNTS` below 1.

    Args:
        parser: The result of `argument_parser`.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict with the settings of the preset, `data_dir`, `out` and `preset`.
    """
    options = vars(parser.parse_args(arguments))
    name, presets = options.pop("_name"), options.pop("_presets")
    given = {k: v for k, v in options.items() if v is not None}
    preset = options["preset"]
    if given.get("folds", 3) < 3:
        parser.error(f"--folds: expected 3 or more, not {given['folds']}")
    only = given.get("only_folds", ())
    if only and not 0 <= min(only) <= max(only) < given.get("folds", 0):
        parser.error(f"--only-folds: expected some of --folds, not {only}")
    settings = {
        "data_dir": None,
        "out": f"runs/{name}_{preset}",
        **presets[preset],
        **given,
    }
    for name in COUNTS:
        value = settings.get(name)
        if isinstance(value, int) and value < 1:
            parser.error(f"--{name.replace('_', '-')}: expected 1 or more")
    for name, letter, least in ("accelerations", "R", 1), ("slopes", "S", 0):
        for value in settings.get(name) or ():
            if not least < value < float("inf"):
                parser.error(
                    f"--{name}: expected {letter} > {least}, not {value:g}"
                )
    return settings
