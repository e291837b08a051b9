"""Train the runs of a grid, each once."""

import dataclasses

import numpy as np

from loupe_tf.provenance import provenance
from loupe_tf.run_folder import RunFolder, check_same_settings

# Settings that change no figure.
PLACES = (
    *("out", "data_dir", "preset", "backup"),
    *("pack", "report", "only_folds"),
)


SEEDS_OF_A_FOLD = 100
"""Each fold has its own seeds, so that no seed is common to all patients."""


def in_folds(runs, folds, only=None):
    """The runs of all folds, of a grid that knows none.

    Args:
        runs: List of runs, with a `fold` and a `seed`.
        folds: Integer, or `None` for the splits of the data set.
        only: (Optional) list of folds; the others are left to another time.

    Returns:
        A list of runs; the first seed of all folds comes first.
    """
    if folds is None:
        return runs
    every = [
        dataclasses.replace(
            run, fold=fold, seed=run.seed + SEEDS_OF_A_FOLD * fold
        )
        for fold in (range(folds) if only is None else only)
        for run in runs
    ]
    return sorted(every, key=lambda run: run.seed % SEEDS_OF_A_FOLD)


def conduct(
    settings, todo, build, train, free, kind=lambda run: run.cell, own=None
):
    """Train all runs that have not been trained yet.

    Data, folder and models are checked before the first training.

    Args:
        settings: Dict. `data` and `data_dir` are arguments of
            `loupe_tf.datasets.load_splits`, and `out` is the folder. The
            optional `images` is the maximum number of slices of each split, and
            the optional `folds` is the number of folds of patients.
        todo: List of runs, each with a unique `name`.
        build: Callable `(run, settings, image_shape)` that builds the model.
        train: Callable `(run, settings, splits, folder)` that returns a
            record, a dict that JSON can store. With folds, `"patients"`, the
            patient of each test volume, is added to the record.
        free: Names of settings that may differ within one folder, in addition
            to `PLACES`.
        kind: Callable that returns the kind of a run. Runs of the same kind
            have equal models, so one model per kind is built as a check. The
            default is the cell of the run.
        own: (Optional) callable `(run, settings)` that returns the expected
            `settings` of a record that has its own.

    Returns:
        A tuple `(folder, facts, records)`: the `RunFolder`, texts by name for
        a report, and all records in the folder.

    Raises:
        ValueError: If the data cannot be split into training, validation and
            test volumes, the folder has runs with other settings, or a model
            cannot be built.
    """
    import keras

    from loupe_tf.datasets import load_splits

    folds = settings.get("folds")
    if own is not None:
        _check_finished(todo, settings, own)
    splits, source = load_splits(settings["data"], settings["data_dir"])
    splits = _at_most(splits, settings.get("images"))
    facts = provenance(settings, source, splits)
    if folds is not None:
        every, splits = splits, _splits_of_folds(splits, folds)
        facts["volumes"] = _folds_in_words(every, splits)
        source = facts["data"] = source.partition(",")[0]
    print(f"Data: {source}; {facts['volumes']}")
    shape = (splits if folds is None else splits[0])["test"].images.shape[1:]
    for run in {kind(run): run for run in todo}.values():
        build(run, settings, shape)
        keras.utils.clear_session(free_memory=False)
    # Claim the folder only now, after all models could be built.
    folder = RunFolder(settings["out"])
    same = {k: v for k, v in settings.items() if k not in (*free, *PLACES)}
    folder.check_settings({**same, "volumes": facts["volumes"]})

    def train_one(run):
        keras.utils.clear_session(free_memory=False)
        if folds is None:
            return train(run, settings, splits, folder)
        parts = splits[run.fold]
        record = train(run, settings, parts, folder)
        pairs = zip(parts["test"].volumes, parts["test"].patients)
        return {**record, "patients": {str(v): str(p) for v, p in pairs}}

    return folder, facts, folder.complete(todo, train_one)


def _splits_of_folds(splits, folds):
    from loupe_tf.datasets import fold, pool

    every = pool(splits)
    return [fold(every, index, folds) for index in range(folds)]


def _folds_in_words(splits, parts):
    tested = ", ".join(
        "+".join(sorted(set(map(str, part["test"].patients)))) for part in parts
    )
    volumes = sum(len(np.unique(each.volumes)) for each in splits.values())
    slices = sum(len(each.images) for each in splits.values())
    return (
        f"{volumes} volumes ({slices} slices), {len(parts)} folds by patient: "
        f"{tested} tested in turn, the next one validates, the others train"
    )


def _at_most(splits, counts):
    """Select up to `counts` evenly spaced slices of each split."""
    if counts is None:
        return splits
    chosen = {}
    for (name, part), count in zip(splits.items(), counts, strict=True):
        every = len(part.images)
        rows = np.linspace(0, every - 1, min(count, every)).round().astype(int)
        chosen[name] = part.select(rows)
    return chosen


def _check_finished(todo, settings, own):
    """Reject finished runs that were trained with other settings."""
    folder = RunFolder(settings["out"])
    names = {run.name: run for run in todo}
    for name, record in folder.records_by_name().items():
        if name in names and "settings" in record:
            expected = own(names[name], settings)
            path = folder / "runs" / f"{name}.json"
            check_same_settings("out", path, expected, record["settings"])


def time_spent(run, folder):
    """Measure the time spent in a run, including time before a restart.

    Args:
        run: The run, with a `name`.
        folder: `RunFolder`.

    Returns:
        A context manager that gives a callable. After the context has ended,
        the callable returns the seconds.
    """
    return RunFolder(folder / "unfinished" / run.name).stopwatch("spent")


def fit(
    model,
    run,
    settings,
    train,
    validation,
    folder,
    slope_callback=None,
    callbacks=(),
    part="rounds",
    monitor="val_loss",
):
    """Train in the two rounds of the 4S paper, with settings as in `TRAINING`.

    Args:
        model: Compiled model.
        run: The run, with a `name` and a `seed`.
        settings: Dict.
        train, validation: Arguments of `fit_two_rounds`.
        folder: `RunFolder`. It gets the backups of an unfinished run if
            `settings["backup"]`.
        slope_callback: (Optional) callback that changes the slope, `False` for
            a constant slope. By default 4S raises the slope, if the model has
            one.
        callbacks: Further callbacks.
        part: String, the name of the part, for runs that train in several.
        monitor: String, argument of `fit_two_rounds`.

    Returns:
        A pair: the history, a dict of lists, and whether all losses in it are
        finite.
    """
    import keras

    from loupe_tf.callbacks import SelfShrinkingSigmoidSlope, fit_two_rounds
    from loupe_tf.callbacks.slopes import slope_layers

    if slope_callback is None:
        slope_callback = bool(slope_layers(model, required=False))
        slope_callback = slope_callback and SelfShrinkingSigmoidSlope(
            patience=settings["patience"], cooldown=settings["cooldown"]
        )
    unfinished = folder / "unfinished" / run.name / part
    history = fit_two_rounds(
        model,
        train,
        validation_data=validation,
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        slope_callback=slope_callback,
        monitor=monitor,
        stop_patience=settings["stop_patience"],
        lr_patience=settings["lr_patience"],
        directory=unfinished if settings["backup"] else None,
        callbacks=[*callbacks, keras.callbacks.TerminateOnNaN()],
        seed=run.seed,
        verbose=0,
    ).history
    return history, np.isfinite(history["loss"] + history["val_loss"]).all()


def fit_one_round(
    model, run, settings, train, validation, folder, callbacks=()
):
    """Train in one round of `settings["epochs"]`, without early stopping.

    The learning rate is a tenth in the last fifth of the epochs, and the
    weights are those of the epoch with the lowest validation loss.

    Args:
        model, run, settings, train, validation, folder, callbacks: As for
            `fit`.

    Returns:
        As `fit`.
    """
    import keras

    epochs, first = settings["epochs"], settings["learning_rate"]
    rounds = {"epochs": [epochs, 0], "stop_patience": epochs, "lr_patience": 1}
    falling = keras.callbacks.LearningRateScheduler(
        lambda epoch: first if epoch < 0.8 * epochs else first / 10
    )
    settings = {**settings, **rounds}
    return fit(
        model,
        run,
        settings,
        train,
        validation,
        folder,
        callbacks=[*callbacks, falling],
    )
