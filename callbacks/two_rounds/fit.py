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

# An ended run has all of these.
FILES = ("settings.json", "round_1.json", "round_2.json")
# Arguments of a callback that tell it from others.
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
        # One worker writes into the folder that all read from.
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
                [_lower_rate(monitor, mode, *lr)],
            ),
        )
    return _history(model, found)


def _check_validation_freq(validation_freq, epochs, monitor):
    if not 1 <= validation_freq <= min(filter(None, epochs), default=math.inf):
        raise invalid(
            "validation_freq",
            "a positive integer of at most the epochs of a round, which "
            f"otherwise has no {monitor!r}",
            found=f"validation_freq={validation_freq}, epochs={epochs}",
        )


def _validation(feed, monitor, batch_size):
    """The callback that adds what is monitored, if Keras does not."""
    kind = monitor.removeprefix("val_").partition("_")[0]
    if not monitor.startswith("val_") or kind not in KINDS:
        return []
    return [MaskValidation(feed.validation_data, kind, batch_size)]


def _lower_rate(monitor, mode, patience, factor, min_lr):
    return keras.callbacks.ReduceLROnPlateau(
        monitor=monitor,
        mode=mode,
        factor=factor,
        patience=patience,
        min_lr=min_lr,
        # Keras's 1e-4 would call most gains of a small MSE none.
        min_delta=0.0,
    )


def _history(model, logs):
    history = keras.callbacks.History()
    history.set_model(model)
    history.epoch = logs.pop("epoch", [])
    history.history = logs
    return history


def _settings(model, slope_callback):
    """What tells one model from another, and one slope callback."""
    settings = {
        "model": model.name,
        "parameters": model.count_params(),
        "samplers": [
            layer.get_config() for layer in slope_layers(model, required=False)
        ],
        "slope_callback": None,
    }
    if slope_callback:
        # Resets what a callback that was used before has counted.
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
