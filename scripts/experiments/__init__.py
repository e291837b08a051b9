"""What the scripts that reproduce a paper's experiment share.

An experiment is a grid of runs. Each is trained, judged and recorded by
itself; a report is made of all records that a folder holds.
"""

import numpy as np

from loupe_tf import evaluation, report, runs
from loupe_tf.atomic import written_aside
from loupe_tf.reading import load_npz
from loupe_tf.runs import RunFolder, provenance

__all__ = [
    "TRAINING",
    "add_training_options",
    "argument_parser",
    "by_cell",
    "conduct",
    "fit",
    "in_words",
    "load_images",
    "number_of_volumes",
    "paired",
    "parse",
    "publish",
    "save_images",
    "to_trace",
]


# The settings of the 4S paper, for masks of all kinds.
_PAPER = {
    "data": "fastmri_slices/knee_singlecoil_4s",
    "accelerations": [4.0, 8.0],
    "seeds": [0, 1, 2],
    "filters": 64,
    "depth": 5,
    "batch_size": 16,
    "learning_rate": 0.01,
    "epochs": [1000, 500],  # The most of each round; patience ends it.
    "slope": 200.0,
    "patience": 40,
    "cooldown": 10,
    "stop_patience": 100,
    "lr_patience": 50,
    "backup": True,  # A killed training goes on from its last epoch.
}
TRAINING = {
    "paper": _PAPER,
    # A training takes a minute.
    "cpu": {
        **_PAPER,
        "data": "mni_brain/64",
        "filters": 8,
        "depth": 3,
        "batch_size": 8,
        "epochs": [30, 20],
        "slope": 20.0,
        "patience": 2,
        "cooldown": 1,
        "stop_patience": 20,
        "lr_patience": 5,
        "backup": False,  # A run is shorter than its backups are worth.
    },
    "smoke": {
        **_PAPER,
        "data": "mni_brain/64",
        "seeds": [0],
        "filters": 4,
        "depth": 2,
        "epochs": [2, 1],
        "slope": 20.0,
        "patience": 1,
        "cooldown": 0,
        "stop_patience": 3,
        "lr_patience": 1,
        "backup": False,
    },
}
"""Presets of experiments that compare masks, by name: data and training."""


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
    parser = runs.argument_parser(doc)
    add = parser.add_argument
    add(
        "--preset",
        choices=list(presets),
        default="smoke",
        help=f"{sizes} (%(default)s). Other options win",
    )
    runs.add_data_options(parser)
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


def conduct(settings, todo, build, train, kind, free):
    """Train what has not been trained yet.

    Whatever may be refused (the data, the folder, a model) is refused before
    the first training.

    Args:
        settings: Dict; `data` and `data_dir` are those of
            `loupe_tf.datasets.load_splits`, `out` is the folder.
        todo: List of runs, each with a `name` of its own.
        build: Callable `(run, settings, image_shape)` that makes the model.
        train: Callable `(run, settings, splits, folder)` that returns a
            record, a dict that JSON can store.
        kind: Callable that takes a run and returns what decides whether its
            model can be built: of equals one is built for a try.
        free: Names of settings that may differ within one folder.

    Returns:
        A tuple `(folder, facts, records)`: the `RunFolder`, texts by name for
        a report, and all records that the folder holds.

    Raises:
        ValueError: If the data cannot be split into training, validation and
            test volumes, the folder holds runs of other settings, or a model
            cannot be built.
    """
    import keras

    from loupe_tf.datasets import load_splits

    splits, source = load_splits(settings["data"], settings["data_dir"])
    facts = provenance(settings, source, splits)
    print(f"Data: {source}; {facts['volumes']}")
    shape = splits["test"].images.shape[1:]
    for run in {kind(run): run for run in todo}.values():
        build(run, settings, shape)
        keras.utils.clear_session(free_memory=False)
    # Settings that nothing can be built with claim no folder.
    folder = RunFolder(settings["out"])
    same = {k: v for k, v in settings.items() if k not in free}
    folder.check_settings({**same, "volumes": facts["volumes"]})

    def train_one(run):
        keras.utils.clear_session(free_memory=False)
        return train(run, settings, splits, folder)

    return folder, facts, folder.complete(todo, train_one)


def fit(model, run, settings, train, validation, folder):
    """Train in the two rounds of the 4S paper, by the settings of `TRAINING`.

    Args:
        model: Compiled model; 4S raises its slope if it has one.
        run: The run, with a `name` and a `seed`.
        settings: Dict.
        train, validation: As `fit_two_rounds` takes them.
        folder: `RunFolder`; what an unfinished run needs to go on is kept
            there, if `settings["backup"]`.

    Returns:
        A pair: the history, a dict of lists, and whether all losses in it are
        finite.
    """
    import keras

    from loupe_tf.callbacks import SelfShrinkingSigmoidSlope, fit_two_rounds
    from loupe_tf.callbacks.slopes import slope_layers

    unfinished = folder / "unfinished" / run.name
    history = fit_two_rounds(
        model,
        train,
        validation_data=validation,
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        slope_callback=bool(slope_layers(model, required=False))
        and SelfShrinkingSigmoidSlope(
            patience=settings["patience"], cooldown=settings["cooldown"]
        ),
        stop_patience=settings["stop_patience"],
        lr_patience=settings["lr_patience"],
        directory=unfinished if settings["backup"] else None,
        callbacks=[keras.callbacks.TerminateOnNaN()],
        seed=run.seed,
        verbose=0,
    ).history
    return history, np.isfinite(history["loss"] + history["val_loss"]).all()


def by_cell(records, key, order=None):
    """Records of all seeds of each cell of a grid, in a fixed order.

    Args:
        records: List of records with a `seed`.
        key: Callable that takes a record and returns its cell.
        order: (Optional) callable that takes a record and returns what cells
            are sorted by; by default they keep the order they come in.

    Returns:
        A dict by cell of lists of records, sorted by seed.
    """
    cells = {}
    # Stable: cells of the same order stay as they came.
    if order:
        records = sorted(records, key=order)
    for record in records:
        cells.setdefault(key(record), []).append(record)
    return {k: sorted(v, key=lambda r: r["seed"]) for k, v in cells.items()}


def to_trace(history, keys):
    """Those parts of a history that a record keeps.

    Args:
        history: Dict of lists of numbers, such as `model.fit(...).history`.
        keys: Names of lists.

    Returns:
        A dict of lists of floats of six digits, with `None` for what is not
        finite, which JSON does not have.
    """
    return {
        key: [
            float(f"{value:.6g}") if np.isfinite(value) else None
            for value in history[key]
        ]
        for key in keys
    }


def save_images(folder, name, voxel_size=None, **arrays):
    """Keep what the figures show of a run, in half precision.

    Args:
        folder: `RunFolder`.
        name: String, of the run.
        voxel_size: (Optional) that of `loupe_tf.datasets.Slices`, for the
            proportions of pixels; kept under this name, 0 for `None`.
        **arrays: Boolean arrays, or such as half precision can show.
    """
    if folder.writes:
        arrays = {k: np.asarray(v) for k, v in arrays.items()}
        if voxel_size is not None:
            arrays["voxel_size"] = np.array([mm or 0 for mm in voxel_size])
        arrays = {
            k: v if v.dtype == bool else v.astype("float16")
            for k, v in arrays.items()
        }
        with written_aside(folder / "images" / f"{name}.npz") as partial:
            np.savez_compressed(partial, **arrays)


def load_images(folder, name):
    """What `save_images` has kept: float32 arrays by name.

    Returns:
        A dict, empty if there is nothing: records may come without images.
    """
    path = folder / "images" / f"{name}.npz"
    if not path.exists():
        return {}
    return {k: v.astype("float32") for k, v in load_npz(path).items()}


def paired(records, others, volumes, metric="psnr"):
    """Differences between records of the same seed, on the same volume.

    Args:
        records, others: Lists of records with a `seed`, each seed once. Those
            that have no partner are left out.
        volumes: Callable that takes a record and returns the metrics of each
            volume (`loupe_tf.evaluation.per_volume`), or `None` if the run has
            diverged.
        metric: String, the metric.

    Returns:
        Array of `records - others`, one value for each seed and volume.
    """
    others = {record["seed"]: volumes(record) for record in others}
    differences = [np.zeros(0)]
    for record in records:
        pair = volumes(record), others.get(record["seed"])
        if None not in pair:
            differences.append(evaluation.paired_difference(*pair, metric))
    return np.concatenate(differences)


def number_of_volumes(records, volumes):
    """How many test volumes records are of.

    Args:
        records: List of records.
        volumes: As in `paired`.
    """
    return max((len(volumes(record) or ()) for record in records), default=0)


def in_words(differences, volumes=None):
    """Mean, deviation and significance of what `paired` returns.

    Args:
        differences: Array of decibels, one for each seed and volume.
        volumes: (Optional) integer, of how many volumes they are; by default
            of as many as there are differences. One volume gives neither a
            deviation nor a test, however many seeds there are.

    Returns:
        A string, the end of a sentence.
    """
    if (volumes or len(differences)) < 2:
        return (
            f"{differences.mean():+.2f} dB on one test volume, mean over "
            f"{len(differences)} seeds; one volume tells nothing of others."
        )
    p_value = evaluation.sign_flip_test(differences)
    return (
        f"{differences.mean():+.2f} ± {differences.std():.2f} dB over "
        f"{len(differences)} pairs of seed and test volume; p = {p_value:.3f} "
        "(paired sign-flip test)."
    )


def publish(
    folder,
    title,
    facts,
    convention,
    table,
    figures,
    sentences,
    runs,
    tables=None,
):
    """Write `report.html`, `results.json` and the figures, and print a table.

    Args:
        folder: `RunFolder`.
        title: String.
        facts: Dict of texts by name: how it was obtained.
        convention: String, what the figures of the table are.
        table: A tuple `(header, rows)` of lists of texts.
        figures: Dict by file name of tuples `(figure, caption)`; those whose
            figure is `None` are left out.
        sentences: List of strings, what the table says.
        runs: List of records.
        tables: (Optional) dict, by caption, of further tables of the page.
    """
    tables = (tables or {}).items()
    facts = {**facts, "convention": convention}
    figures = {k: v for k, v in figures.items() if v[0] is not None}
    for name, (figure, _) in figures.items():
        report.save_figure(figure, folder / f"{name}.png")
    folder.write_json(
        "results.json",
        {"facts": facts, "verdicts": sentences, "runs": runs},
        indent=1,
    )
    report.write_report(
        folder / "report.html",
        title,
        {
            "": [
                *sentences,
                report.table(*table, convention),
                *(report.table(*other, caption) for caption, other in tables),
            ],
            "Figures": [report.figure(f, text) for f, text in figures.values()],
            "How it was obtained": [report.facts(facts)],
        },
    )
    print(report.text_table(*table))
    for caption, other in tables:
        print(f"\n{caption}\n{report.text_table(*other)}")
    print("\n" + "\n".join([convention, *sentences]))
    print(f"See {folder / 'report.html'}")
