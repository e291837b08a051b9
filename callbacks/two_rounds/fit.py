import contextlib
import math
import pathlib
import tempfile

import keras

from loupe_tf.callbacks.direction import KINDS, MODES
from loupe_tf.callbacks.mask_validation import MaskValidation
from loupe_tf.callbacks.self_shrinking_sigmoid_slope import (
    SelfShrinkingSigmoidSlope,
)
from loupe_tf.callbacks.slopes import slope_layers
from loupe_tf.callbacks.two_rounds.feed import Feed
from loupe_tf.callbacks.two_rounds.two_rounds import TwoRounds
from loupe_tf.checks import check_choice, invalid
from loupe_tf.distribution.replicas import num_replicas
from loupe_tf.distribution.trainer import trainer_of
from loupe_tf.run_folder import RunFolder

# A finished run has all of these files.
FILES = ("settings.json", "round_1.json", "round_2.json")
# Types of the callback arguments that are part of a run's settings.
PLAIN = bool | int | float | str


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

    Round one runs the slope callback, `EarlyStopping` and `ModelCheckpoint`.
    Round two loads the weights of the best epoch, including slope and
    optimizer, and runs `ReduceLROnPlateau`, `EarlyStopping` and
    `ModelCheckpoint` (Martinini et al., BioCAS 2022, section III). At the end
    the model has the best weights of both rounds. A learning rate that follows
    a `LearningRateSchedule` cannot be set, so `ReduceLROnPlateau` is left out
    and the schedule continues in round two.

    Training uses the strategy that the model was built in. Several devices get
    equal shares of every batch. So each epoch drops a training remainder,
    which changes from epoch to epoch, and validation drops fewer examples than
    there are devices. `model.fit` does not support
    `MultiWorkerMirroredStrategy`; under it,
    `loupe_tf.distribution.MultiWorkerTrainer` trains, and all workers must see
    the same `directory`.

    Args:
        model: A compiled `keras.Model`.
        train: Array of images that are their own targets, a pair `(x, y)` of
            arrays, or a data set of batches. For a model with several inputs,
            x is a list or dict of arrays. Arrays are shuffled in an order that
            a resumed run repeats. A data set must repeat its order too if a
            resumed run is to equal an uninterrupted one.
        validation_data: The same, not shuffled.
        epochs: Integer, the maximum number of epochs per round, or a pair of
            integers, one for each round.
        batch_size: Integer, the global batch size for arrays.
        slope_callback: Callback of round one. `None` for
            `SelfShrinkingSigmoidSlope(monitor=monitor, mode=mode)` with the
            paper's settings, `False` for none (a model without a slope, or a
            fixed slope).
        monitor: String. The quantity that all callbacks monitor.
            `"val_relaxed_loss"`, which the paper's authors use, and
            `"val_relaxed_psnr"` add validation with relaxed masks;
            `"sampled"` and `"threshold"` work in the same way.
        mode: `"auto"`, `"min"` or `"max"`: whether lower or higher is better,
            for all callbacks with this monitor. `"auto"` follows Keras: losses
            should fall, and a metric states its direction.
        validation_freq: Integer, as in `model.fit`. The callbacks ignore
            epochs without validation.
        stop_patience: Integer, patience of `EarlyStopping`.
        lr_patience, lr_factor, min_lr: Arguments of `ReduceLROnPlateau`.
        directory: String. If given, the run is backed up there after each
            epoch. A call with the same directory resumes a killed run, and
            returns the result of a finished one immediately. No other run may
            use it.
        callbacks: Further callbacks, for both rounds.
        seed: Integer, for the order of the batches.
        verbose: As in `model.fit`.

    Returns:
        A `keras.callbacks.History` of both rounds, including epochs before a
        restart. In addition to the logs, its dict has `round` (1 or 2).

    Raises:
        ValueError: If the model is not compiled, arrays are not finite floats,
            the devices cannot share the batches evenly, the monitored quantity
            is absent, its direction is unknown or a callback has the opposite
            one, the model has no slope for 4S, the directory holds a run with
            other settings or damaged files (`BadFileError`), or another
            process trains there.
        OSError: If the disk is full. The same call resumes when there is room.
    """
    if not model.compiled:
        raise invalid(
            "model",
            "a compiled model",
            found=f"model '{model.name}', not compiled",
        )
    check_choice("mode", mode, MODES)
    epochs = (epochs, epochs) if isinstance(epochs, int) else tuple(epochs)
    _check_validation_freq(validation_freq, epochs, monitor)
    if slope_callback is None:
        slope_callback = SelfShrinkingSigmoidSlope(monitor=monitor, mode=mode)
    feed = Feed(train, validation_data, batch_size, seed, num_replicas(model))
    lr = [lr_patience, lr_factor, min_lr]
    settings = {
        **_settings(model, slope_callback),
        "data": feed.fingerprint,
        "epochs": list(epochs),
        "batch_size": batch_size,
        "monitor": monitor,
        "mode": mode,
        "validation_freq": validation_freq,
        "stop_patience": stop_patience,
        "lr": lr,
        "seed": seed,
    }
    trainer = trainer_of(model)
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        # One worker writes into the folder; all workers read from it.
        writes = trainer.is_chief or directory is None
        folder = RunFolder(directory or scratch, writes, "directory")
        stack.enter_context(folder)
        folder.check_settings(settings)
        if not all((folder / name).exists() for name in FILES):
            folder.claim()
        rounds = TwoRounds(
            trainer,
            feed,
            folder,
            weights=folder.path if writes else pathlib.Path(scratch),
            backs_up=writes and directory is not None,
            monitor=monitor,
            mode=mode,
            validation_freq=validation_freq,
            stop_patience=stop_patience,
            verbose=verbose if trainer.is_chief else 0,
        )
        found = rounds.run(
            epochs,
            before=_validation(feed, monitor, batch_size),
            both=[*callbacks, *feed.callbacks],
            own=(
                [slope_callback] if slope_callback else [],
                _lower_rate(model.optimizer, monitor, mode, *lr),
            ),
        )
    return _history(model, found)


def _check_validation_freq(validation_freq, epochs, monitor):
    if not 1 <= validation_freq <= min(filter(None, epochs), default=math.inf):
        raise invalid(
            "validation_freq",
            "a positive integer no larger than the epochs of a round, which "
            f"otherwise has no {monitor!r}",
            found=f"validation_freq={validation_freq}, epochs={epochs}",
        )


def _validation(feed, monitor, batch_size):
    """The callback that adds the monitored quantity, if Keras does not."""
    kind = monitor.removeprefix("val_").partition("_")[0]
    if not monitor.startswith("val_") or kind not in KINDS:
        return []
    return [MaskValidation(feed.validation_data, kind, batch_size)]


def _lower_rate(optimizer, monitor, mode, patience, factor, min_lr):
    """The callback that lowers the learning rate, if that can be set."""
    if not isinstance(optimizer.learning_rate, keras.Variable):
        return []  # It follows a schedule.
    return [
        keras.callbacks.ReduceLROnPlateau(
            monitor=monitor,
            mode=mode,
            factor=factor,
            patience=patience,
            min_lr=min_lr,
            # Keras's default, 1e-4, would ignore most gains of a small MSE.
            min_delta=0.0,
        )
    ]


def _history(model, logs):
    history = keras.callbacks.History()
    history.set_model(model)
    history.epoch = logs.pop("epoch", [])
    history.history = logs
    return history


def _settings(model, slope_callback):
    """Settings that identify the model and the slope callback."""
    settings = {
        "model": model.name,
        "parameters": model.count_params(),
        "samplers": [
            layer.get_config() for layer in slope_layers(model, required=False)
        ],
        "slope_callback": None,
    }
    if slope_callback:
        # Reset the counters of a callback that was used before.
        slope_callback.set_model(model)
        settings["slope_callback"] = {
            "class_name": type(slope_callback).__name__,
            **{
                key: value
                for key, value in vars(slope_callback).items()
                if not key.startswith("_")
                and (value is None or isinstance(value, PLAIN))
            },
        }
    return settings
