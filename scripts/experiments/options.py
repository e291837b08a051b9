"""What is typed: options of the command line that all experiments have."""

from loupe_tf import command_line

OPTIONS = {
    "accelerations": ("R", "R > 1"),
    "slopes": ("S", "fixed slopes"),
    "slope": ("S", "where 4S begins"),
    "first_slope": ("S", "where 4S and schedules begin"),
    "last_slope": ("S", "where schedules end"),
    "epochs": ("N", "the most epochs of each round"),
    "patience": ("N", "of 4S"),
    "factor": ("M", "by which 4S raises s"),
    "cooldown": ("N", "of 4S"),
    "stop_patience": ("N", "epochs without improvement that end a round"),
    "lr_patience": ("N", "of ReduceLROnPlateau"),
    "filters": ("N", "channels at the finest scale"),
    "depth": ("N", "scales of the U-Net"),
    "batch_size": ("N", "images in a batch"),
}
"""How help names the value of a setting, and what it says of it."""


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
    add(
        "--folds",
        type=int,
        metavar="N",
        help="test every patient of the data once: of N folds by patient one "
        "is tested and the next one validates (the splits of the data set)",
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
        help="train nothing and read no data: print the tables of the runs "
        "that --out holds, and write its report",
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
    """Add settings that one may want to change.

    Args:
        parser: What `argument_parser` returns.
        *names: Names of settings that are in `OPTIONS`.
        **others: By the name of a setting a tuple as those of `OPTIONS`.
    """
    preset = next(iter(parser.get_default("_presets").values()))
    described = {**{name: OPTIONS[name] for name in names}, **others}
    for name, (metavar, text) in described.items():
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
    add_options(parser, "accelerations", "filters", "depth", "batch_size")


def parse(parser, arguments=None):
    """The settings of an experiment: those of the preset, unless given.

    Accelerations that are not above 1, and slopes that are not above 0, are
    refused as the parser refuses.

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
    for name, letter, least in ("accelerations", "R", 1), ("slopes", "S", 0):
        for value in settings.get(name) or ():
            if not least < value < float("inf"):
                parser.error(
                    f"--{name}: expected {letter} > {least}, not {value:g}"
                )
    return settings
