import contextlib
import json
import pathlib
import shutil
import tempfile

import keras
import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.callbacks.backup_and_restore import BackupAndRestore
from loupe_tf.callbacks.direction import (
    KINDS,
    check_mode,
    direction,
    set_direction,
)
from loupe_tf.callbacks.mask_validation import MaskValidation
from loupe_tf.callbacks.self_shrinking_sigmoid_slope import (
    SelfShrinkingSigmoidSlope,
)
from loupe_tf.callbacks.shuffled_batches import ShuffledBatches
from loupe_tf.callbacks.slopes import slope_layers, slope_logs
from loupe_tf.distribution.multi_worker_trainer import trainer_of
from loupe_tf.distribution.replicas import num_replicas, scope_of
from loupe_tf.reading import BadFileError
from loupe_tf.run_folder import (
    checksum,
    folder_lock,
    load_weights,
    read_json,
    read_record,
    save_weights,
    write_record,
)

# What the record of a round holds. Its weights may be those of round one.
RECORD = {
    "history": dict,
    "epochs": int,
    "best": (float, int, type(None)),
    "weights": (str, type(None)),
}
WEIGHTS = {number: f"round_{number}.weights.h5" for number in (1, 2)}


def fit_two_rounds(
    model,
    train,
    validation_data,
    epochs=1000,
    batch_size=16,
    slope_callback=None,
    monitor="val_loss",
    mode="auto",
    validation_freq=1,
    stop_patience=100,
    lr_patience=50,
    lr_factor=0.2,
    min_lr=1e-6,
    directory=None,
    callbacks=(),
    seed=0,
    verbose="auto",
):
    """Train a model in the two rounds of the 4S paper.

    Round one: the slope callback, `EarlyStopping` and `ModelCheckpoint`. Then
    the weights of the best epoch, slope and optimizer included, are loaded,
    and round two runs `ReduceLROnPlateau`, `EarlyStopping` and
    `ModelCheckpoint` (Martinini et al., BioCAS 2022, section III). The model
    is left with the best weights of both rounds.

    It trains under whatever strategy the model was built in. Several devices
    get equal shares of every batch: what is left over of the training arrays
    is left out, others in each epoch, and at most one validation example less
    than there are devices. Under `MultiWorkerMirroredStrategy`, which
    `model.fit` cannot do, `loupe_tf.distribution.MultiWorkerTrainer` trains,
    and all workers must see the same `directory`.

    Args:
        model: A compiled `keras.Model`.
        train: Array of images that are their own targets, a pair `(x, y)` of
            arrays, or a data set of batches. For a model of several inputs x
            is a list or dict of arrays. Arrays are shuffled in an order that a
            resumed run repeats; of any other data set the same is asked if a
            resumed run is to be equal to one that was not killed.
        validation_data: The same, not shuffled.
        epochs: Integer, the most epochs of a round, or a pair of integers, one
            for each round.
        batch_size: Integer, for arrays; that of all devices together.
        slope_callback: Callback of round one. `None` for
            `SelfShrinkingSigmoidSlope(monitor=monitor, mode=mode)` with the
            paper's settings, `False` for none (a model without a slope, or a
            slope that is held).
        monitor: String. What all callbacks monitor. With
            `"val_relaxed_loss"`, as the paper's authors do, or
            `"val_relaxed_psnr"`, validation with relaxed masks is added;
            likewise of `"sampled"` and `"threshold"`.
        mode: `"auto"`, `"min"` or `"max"`: whether lower or higher is better,
            for all callbacks of this monitor. `"auto"` is Keras's rule:
            losses fall, and a metric says what it does.
        validation_freq: Integer, as in `model.fit`. Epochs without validation
            count for none of the callbacks.
        stop_patience: Integer, patience of `EarlyStopping`.
        lr_patience, lr_factor, min_lr: Of `ReduceLROnPlateau`.
        directory: String. If given, the run is backed up there after each
            epoch, a call with the same directory goes on where it was killed,
            and one after the end returns the result at once. It must belong to
            this run alone.
        callbacks: Further callbacks, for both rounds.
        seed: Integer, of the order of the batches.
        verbose: As in `model.fit`.

    Returns:
        A `keras.callbacks.History` over both rounds, those parts included that
        ran before a restart. Beside the logs, its dict has `round` (1 or 2).

    Raises:
        ValueError: If the model is not compiled, arrays are not finite floats,
            the batches cannot be shared out evenly among several devices,
            the monitored quantity is absent, its direction cannot be told or
            a callback was told another one, the model has no slope for 4S, the
            directory holds a run of other settings or damaged files
            (`BadFileError`), or another process trains there.
        OSError: If the disk is full. When there is room, the same call goes on.
    """
    if not model.compiled:
        raise ValueError(
            "Invalid value for argument `model`. Expected a compiled model. "
            f"Received: model '{model.name}', not compiled"
        )
    check_mode(mode)
    epochs = (epochs, epochs) if isinstance(epochs, int) else tuple(epochs)
    if not 1 <= validation_freq <= min(n for n in (*epochs, np.inf) if n):
        raise ValueError(
            "Invalid value for argument `validation_freq`. Expected a positive "
            "integer of at most the epochs of a round, which otherwise has no "
            f"{monitor!r}. Received: validation_freq={validation_freq}, "
            f"epochs={epochs}"
        )
    if slope_callback is None:
        slope_callback = SelfShrinkingSigmoidSlope(monitor=monitor, mode=mode)
    watch = _Logs(monitor, mode, validation_freq)
    both = [watch, *callbacks]
    validation_data = _pair("validation_data", validation_data)
    train = _pair("train", train)
    replicas = num_replicas(model)
    if replicas > 1:
        train, validation_data = _even(
            replicas, train, validation_data, batch_size
        )
    if isinstance(train, tuple):
        train = ShuffledBatches(
            *train, batch_size, seed, drop_remainder=replicas > 1
        )
    if hasattr(train, "callback"):
        both.append(train.callback())
    batches, validation_data = map(_feed, (train, validation_data))
    kind = monitor.removeprefix("val_").partition("_")[0]
    if monitor.startswith("val_") and kind in KINDS:
        both.insert(0, MaskValidation(validation_data, kind, batch_size))
    first = [slope_callback] if slope_callback else []
    second = [
        keras.callbacks.ReduceLROnPlateau(
            monitor=monitor,
            mode=mode,
            factor=lr_factor,
            patience=lr_patience,
            min_lr=min_lr,
            # Keras's 1e-4 would call most gains of a small MSE none.
            min_delta=0.0,
        )
    ]

    def run_round(number, last, extra):
        checkpoint = _BestWeights(
            own / WEIGHTS[number],
            monitor=monitor,
            mode=mode,
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=last["best"],
        )
        stopping = keras.callbacks.EarlyStopping(
            monitor=monitor, mode=mode, patience=stop_patience
        )
        # The checkpoint comes before the slope is raised; the backup comes
        # last, when every counter has its value of this epoch.
        every = [*both, checkpoint, stopping, *extra]
        watch.callbacks = [c for c in every if c is not watch]
        backup = BackupAndRestore(
            directory / f"round_{number}", every, save=writes and kept
        )
        is_arrays = isinstance(validation_data, tuple)
        trainer.fit(
            batches,
            validation_data=validation_data,
            validation_batch_size=batch_size if is_arrays else None,
            validation_freq=validation_freq,
            initial_epoch=last["epochs"],
            epochs=last["epochs"] + epochs[number - 1],
            callbacks=[*every, backup],
            verbose=verbose if trainer.is_chief else 0,
        )
        rounds = [number] * len(backup.history.get("epoch", ()))
        history = _join(last["history"], {**backup.history, "round": rounds})
        best = checkpoint.best
        improved = best is not None and best != last["best"]
        improved = improved and np.isfinite(best)
        record = {
            "history": history,
            "epochs": len(history.get("epoch", ())),
            "best": best if best is None else float(best),
            "weights": WEIGHTS[number] if improved else last["weights"],
        }
        if writes:
            if record["weights"] is not None:
                path = directory / record["weights"]
                record["weights_crc32c"] = checksum(path)
            write_record(directory / f"round_{number}.json", record)
            shutil.rmtree(backup.backup_dir, ignore_errors=True)
        # Before any worker reads what the chief has written.
        trainer.wait_for_all()
        return record

    settings = {
        "model": model.name,
        "parameters": model.count_params(),
        "samplers": [
            layer.get_config() for layer in slope_layers(model, required=False)
        ],
        "data": _fingerprint(train),
        "epochs": list(epochs),
        "batch_size": batch_size,
        "monitor": monitor,
        "mode": mode,
        "validation_freq": validation_freq,
        "stop_patience": stop_patience,
        "lr": [lr_patience, lr_factor, min_lr],
        "seed": seed,
        "slope_callback": _settings(model, slope_callback),
    }
    record = {"history": {}, "epochs": 0, "best": None, "weights": None}
    trainer = trainer_of(model)
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(tempfile.TemporaryDirectory())
        # Of several workers one writes into the directory that all read from.
        kept = directory is not None
        writes = trainer.is_chief or not kept
        own = directory = pathlib.Path(directory or temporary)
        if not writes:
            own = pathlib.Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        ended = (directory / "round_2.json").exists()
        if kept and writes and not ended:
            stack.enter_context(folder_lock(directory))
            # What killed processes have left.
            for stray in directory.glob(".round_*"):
                shutil.rmtree(stray, ignore_errors=True)
        _check_settings(directory, settings, writes)
        with scope_of(model):
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
        again = False
        for number, extra in ((1, first), (2, second)):
            last, record = record, _load_round(directory, number)
            # What follows a round that is trained again is trained again.
            again = again or record is None
            if again:
                _load_weights(model, directory, last)
                record = run_round(number, last, extra)
        _load_weights(model, directory, record)
    history = keras.callbacks.History()
    history.set_model(model)
    history.history = record["history"]
    history.epoch = history.history.pop("epoch", [])
    return history


def _feed(data):
    """What `fit` takes: TensorFlow is given no `PyDataset`, if we can help."""
    is_tensorflow = keras.backend.backend() == "tensorflow"
    if is_tensorflow and isinstance(data, ShuffledBatches):
        return data.to_tf_dataset()
    return data


def _fingerprint(train):
    """Enough to tell one set of arrays from another."""
    if not isinstance(train, ShuffledBatches):
        return None
    prints = [
        [list(array.shape), float(np.sum(array, dtype="float64"))]
        for array in keras.tree.flatten(train.x)
    ]
    return prints[0] if len(prints) == 1 else prints


def _settings(model, callback):
    """The arguments of a callback that are plain values."""
    if not callback:
        return None
    # Resets what a callback that was used before has counted.
    callback.set_model(model)
    values = {
        key: value
        for key, value in vars(callback).items()
        if not key.startswith("_")
        and (value is None or isinstance(value, bool | int | float | str))
    }
    return {"class_name": type(callback).__name__, **values}


def _load_round(directory, number):
    path = directory / f"round_{number}.json"
    if not path.exists():
        return None
    remedy = f"Delete it to train round {number} again"
    record = read_record(path, RECORD, remedy)
    if record["weights"] not in (None, *WEIGHTS.values()):
        # A file does not choose which other files are read.
        raise BadFileError(
            path,
            f"Expected weights of {sorted(WEIGHTS.values())}. Received: "
            f"{record['weights']!r}. {remedy}",
        )
    return record


def _load_weights(model, directory, record):
    name = record["weights"]
    if name is not None:
        again = name.replace(".weights.h5", ".json")
        remedy = f"Delete {directory / again} to train that round again"
        crc = record.get("weights_crc32c")
        load_weights(model, directory / name, crc, remedy)


def _check_settings(directory, settings, writes):
    path = directory / "settings.json"
    settings = json.loads(json.dumps(settings))  # as it will be read again
    if not path.exists():
        if writes:
            with written_aside(path) as partial:
                partial.write_text(json.dumps(settings))
        return
    remedy = "Delete it if the run in its folder is that of this call"
    saved = read_json(path, remedy)
    if saved != settings:
        differing = [k for k in settings if saved.get(k) != settings[k]]
        raise ValueError(
            f"Invalid value for argument `directory`. Expected {directory} to "
            f"hold a run with { {k: settings[k] for k in differing} }. "
            f"Received: one with { {k: saved.get(k) for k in differing} }"
        )


def _join(first, second):
    """Append the lists of two histories; `None` where one lacks a key."""
    lengths = [len(h.get("epoch", ())) for h in (first, second)]
    keys = list(dict.fromkeys([*first, *second]))
    return {
        key: first.get(key, [None] * lengths[0])
        + second.get(key, [None] * lengths[1])
        for key in keys
    }


def _even(replicas, train, validation_data, batch_size):
    """Refuse, or leave out, what several devices cannot share evenly."""
    is_arrays = isinstance(train, tuple)
    if is_arrays or isinstance(validation_data, tuple):
        if batch_size % replicas:
            raise ValueError(
                "Invalid value for argument `batch_size`. Expected a number "
                f"that the number of replicas, {replicas}, divides. Received: "
                f"batch_size={batch_size}"
            )
    if is_arrays and len(train[1]) < batch_size:
        raise ValueError(
            "Invalid value for argument `train`. Expected enough examples for "
            f"a batch of {batch_size}, which several devices share. Received: "
            f"{len(train[1])} examples"
        )
    if isinstance(validation_data, tuple):
        size = len(validation_data[1]) // replicas * replicas
        if size == 0:
            raise ValueError(
                "Invalid value for argument `validation_data`. Expected an "
                f"example for each of {replicas} replicas at least. Received: "
                f"{len(validation_data[1])} examples"
            )
        validation_data = keras.tree.map_structure(
            lambda array: array[:size], validation_data
        )
    return train, validation_data


def _pair(name, data):
    """Make `(x, y)` of arrays; leave data sets as they are."""
    if hasattr(data, "dtype") and hasattr(data, "shape"):
        data = (data, data)
    if not isinstance(data, tuple | list):
        return data
    x, y = data
    if isinstance(x, list):
        x = tuple(x)  # A list would be one tensor to tf.data.
    pair = keras.tree.map_structure(np.asarray, (x, y))
    arrays = keras.tree.flatten(pair)
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected as many examples "
            f"in all arrays. Received: {lengths} examples"
        )
    for array in arrays:
        if np.issubdtype(array.dtype, np.floating):
            finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
            if not finite.all():
                raise ValueError(
                    f"Invalid value for argument `{name}`. Expected finite "
                    f"numbers. Received: NaN or infinity in examples "
                    f"{np.flatnonzero(~finite)[:10].tolist()}"
                )
        # An index picks masks, beside the images.
        elif len(arrays) == 2 or not np.issubdtype(array.dtype, np.integer):
            raise ValueError(
                f"Invalid dtype of argument `{name}`. Expected floating-point "
                "arrays (complex images as two channels, real and imaginary). "
                f"Received: dtype={array.dtype}"
            )
    return pair


class _Logs(keras.callbacks.Callback):
    """Log slopes and learning rate in both rounds; insist on the monitor."""

    def __init__(self, monitor, mode, validation_freq):
        super().__init__()
        self.monitor = monitor
        self.mode = mode
        self.validation_freq = validation_freq
        self.callbacks = ()
        """All callbacks of the round, to tell them the direction."""

    def on_train_begin(self, logs=None):
        # Several workers build them with the first step.
        if all(getattr(m, "built", True) for m in self.model.metrics):
            self._agree()

    def on_epoch_end(self, epoch, logs=None):
        validated = (epoch + 1) % self.validation_freq == 0
        if self.monitor in logs:
            self._agree()
        elif validated or not self.monitor.startswith("val_"):
            # Keras's own callbacks would only warn.
            raise ValueError(
                "Invalid value for argument `monitor`. Expected one of "
                f"{list(logs)}. Received: monitor={self.monitor!r}"
            )
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        logs["learning_rate"] = float(rate)
        logs.update(slope_logs(slope_layers(self.model, required=False)))

    def _agree(self):
        """Let all that monitor the same follow the same direction."""
        mode = direction(self.model, self.monitor, self.mode)
        for callback in self.callbacks:
            if getattr(callback, "monitor", None) == self.monitor:
                set_direction(callback, mode)
                if isinstance(callback, _BestWeights):
                    callback.begin(mode)


class _BestWeights(keras.callbacks.ModelCheckpoint):
    """Leaves epochs without the monitor out, which Keras's would save.

    It writes all or nothing: Keras's writes into the file that it replaces.
    """

    def begin(self, mode):
        """Call nothing yet the worst value there is."""
        # Not `None`, for which a NaN would be the best there is.
        if self.best is None:
            self.best = float("inf" if mode == "min" else "-inf")

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor in (logs or {}):
            super().on_epoch_end(epoch, logs)

    def _save_model(self, epoch, batch, logs):
        path = self._get_file_path(epoch, batch, logs)
        if self._should_save_model(epoch, batch, logs, path):
            save_weights(self.model, path)
