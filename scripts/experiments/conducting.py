"""Training the runs of a grid, each once."""

import numpy as np

from loupe_tf.provenance import provenance
from loupe_tf.records import read_json
from loupe_tf.run_folder import RunFolder, check_same_settings

# Settings that change no figure.
PLACES = ("out", "data_dir", "preset", "backup")


def conduct(
    settings, todo, build, train, free, kind=lambda run: run.cell, own=None
):
    """Train what has not been trained yet.

    Whatever may be refused (the data, the folder, a model) is refused before
    the first training.

    Args:
        settings: Dict; `data` and `data_dir` are those of
            `loupe_tf.datasets.load_splits`, `out` is the folder, and `images`,
            where it is there and not `None`, the most slices of each split.
        todo: List of runs, each with a `name` of its own.
        build: Callable `(run, settings, image_shape)` that makes the model.
        train: Callable `(run, settings, splits, folder)` that returns a
            record, a dict that JSON can store.
        free: Names of settings that may differ within one folder, beside
            those of places: `out`, `data_dir`, `preset` and `backup`.
        kind: Callable that takes a run and returns what decides whether its
            model can be built: of equals one is built for a try. By default
            that is the cell of the run.
        own: (Optional) callable `(run, settings)` that returns what the
            `settings` of a record, which has some of its own, have to be.

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

    if own is not None:
        _check_finished(todo, settings, own)
    splits, source = load_splits(settings["data"], settings["data_dir"])
    splits = _at_most(splits, settings.get("images"))
    facts = provenance(settings, source, splits)
    print(f"Data: {source}; {facts['volumes']}")
    shape = splits["test"].images.shape[1:]
    for run in {kind(run): run for run in todo}.values():
        build(run, settings, shape)
        keras.utils.clear_session(free_memory=False)
    # Settings that nothing can be built with claim no folder.
    folder = RunFolder(settings["out"])
    same = {k: v for k, v in settings.items() if k not in (*free, *PLACES)}
    folder.check_settings({**same, "volumes": facts["volumes"]})

    def train_one(run):
        keras.utils.clear_session(free_memory=False)
        return train(run, settings, splits, folder)

    return folder, facts, folder.complete(todo, train_one)


def _at_most(splits, counts):
    """So many slices of each split, evenly spread; all where it has fewer."""
    if counts is None:
        return splits
    chosen = {}
    for (name, part), count in zip(splits.items(), counts, strict=True):
        every = len(part.images)
        rows = np.linspace(0, every - 1, min(count, every)).round().astype(int)
        chosen[name] = part.select(rows)
    return chosen


def _check_finished(todo, settings, own):
    """Refuse to count a run of other settings as one of these."""
    folder = RunFolder(settings["out"])
    names = {run.name: run for run in todo}
    for path in sorted((folder / "runs").glob("*.json")):
        if path.stem not in names:
            continue
        found = read_json(path, "Delete it to do that run again")
        if "settings" in found:
            expected = own(names[path.stem], settings)
            check_same_settings("out", path, expected, found["settings"])


def time_spent(run, folder):
    """Context manager: the seconds spent inside, those before a restart too.

    Args:
        run: The run, with a `name`.
        folder: `RunFolder`.

    Returns:
        A context manager that gives a callable; when it has ended the callable
        returns the seconds.
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
):
    """Train in the two rounds of the 4S paper, by the settings of `TRAINING`.

    Args:
        model: Compiled model.
        run: The run, with a `name` and a `seed`.
        settings: Dict.
        train, validation: As `fit_two_rounds` takes them.
        folder: `RunFolder`; what an unfinished run needs to go on is kept
            there, if `settings["backup"]`.
        slope_callback: (Optional) what changes the slope, `False` to hold it;
            by default 4S raises it, if the model has one.
        callbacks: Further callbacks.
        part: String, of a run that trains in several parts.

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
        stop_patience=settings["stop_patience"],
        lr_patience=settings["lr_patience"],
        directory=unfinished if settings["backup"] else None,
        callbacks=[*callbacks, keras.callbacks.TerminateOnNaN()],
        seed=run.seed,
        verbose=0,
    ).history
    return history, np.isfinite(history["loss"] + history["val_loss"]).all()
