import pathlib
import shutil
import warnings

import keras
import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.reading import BadFileError, load_npz
from loupe_tf.records import (
    advising,
    checksum,
    load_weights,
    read_record,
    save_weights,
    write_record,
)
from loupe_tf.run_folder import folder_lock

# The state that Keras's own callbacks need to resume but do not save.
STATE = {
    keras.callbacks.EarlyStopping: (
        "wait",
        "best",
        "best_epoch",
        "stopped_epoch",
    ),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: ("best",),
}
# The keys of a backup's record and their types.
RECORD = {
    "epoch": int,
    "stopped": bool,
    "callbacks": list,
    "history": dict,
}


class BackupAndRestore(keras.callbacks.Callback):
    """Back up a whole training run, so that it can resume after a kill.

    Keras's callback of the same name saves the weights, the optimizer and the
    epoch. This one also saves the counters of `EarlyStopping`,
    `ReduceLROnPlateau` and `ModelCheckpoint`, the logs of all epochs, and
    whether training had been told to stop. It never leaves a partial backup:
    it writes each one into a temporary folder and renames that folder when it
    is complete. (4S stores its counters in the weights, so it needs nothing
    here.)

    Args:
        backup_dir: String, folder of the backups. No other run may use it. It
            stays when training ends: delete it to start again.
        callbacks: List of the run's other callbacks, whose counters are saved.
        save: Boolean. Whether to write backups. When several workers share the
            folder, one of them writes and all of them restore.

    Attributes:
        history: Dict of lists with one value per epoch: the logs of all
            epochs, including those before a restart. The value is `None` where
            an epoch lacks an entry, for example one without validation.

    Raises:
        ValueError: When training begins, if the backup comes from a model with
            other weights or from other callbacks, if all backups are damaged
            (`BadFileError`), or if another process uses the folder.
        OSError: When an epoch ends, if the disk is full. The previous backup
            stays intact, and training can resume from it.

    Example:

    ```python
    callbacks = [
        SelfShrinkingSigmoidSlope(),
        keras.callbacks.EarlyStopping(patience=100),
    ]
    callbacks.append(BackupAndRestore("backup", callbacks))  # last
    model.fit(
        train, validation_data=validation, epochs=1000, callbacks=callbacks
    )
    ```
    """

    def __init__(self, backup_dir, callbacks=(), save=True):
        super().__init__()
        self._lock = None
        self.backup_dir = pathlib.Path(backup_dir)
        self.callbacks = [c for c in callbacks if _attributes(c)]
        self.save = save
        self.history = {}

    def on_train_begin(self, logs=None):
        self.history = {}
        # Keras keeps the value of an earlier `fit` that was resumed and killed.
        self.model._initial_epoch = None
        if self.save:
            self._lock = folder_lock(self.backup_dir)
            # Remove partial backups of killed processes.
            for stray in self.backup_dir.glob(".epoch_*"):
                shutil.rmtree(stray, ignore_errors=True)
        state = self._restore()
        if state is None:
            return
        self.history = state["history"]
        # Keras's own `BackupAndRestore` sets this too. A run that had been
        # told to stop has no epochs left.
        self.model._initial_epoch = (
            self.params["epochs"] if state["stopped"] else state["epoch"]
        )

    def on_train_end(self, logs=None):
        # Keras would leave out as many epochs of the next `fit`.
        self.model._initial_epoch = None
        self._lock = None

    def _restore(self):
        """Restore the latest intact backup; return its state, if any."""
        backups = sorted(self.backup_dir.glob("epoch_*[0-9]"), reverse=True)
        for folder in backups:
            try:
                state, values = self._read(folder)
            except BadFileError as error:
                # A power failure may have damaged the latest backup.
                if folder == backups[-1]:
                    raise
                warnings.warn(
                    f"{error}. Going on from the backup before.", stacklevel=2
                )
                continue
            for callback, saved in zip(self.callbacks, values):
                for key, value in saved.items():
                    setattr(callback, key, value)
            return state
        return None

    def _read(self, folder):
        """Load a backup's weights; return its state and callback values."""
        remedy = f"Delete {self.backup_dir} to start again"
        path = folder / "state.json"
        state = read_record(path, RECORD, remedy)
        kinds = [type(c).__name__.removeprefix("_") for c in self.callbacks]
        with advising(path, "the state of a backup", remedy):
            found = [saved["class_name"] for saved in state["callbacks"]]
            # `BestWeights` of `fit_two_rounds` was once a private class.
            found = [name.removeprefix("_") for name in found]
        if kinds != found:
            raise ValueError(
                f"Invalid backup in {self.backup_dir}. Expected a run with "
                f"the callbacks {kinds}. Received: {found}"
            )
        values = []
        for i, saved in enumerate(state["callbacks"]):
            with advising(path, "the state of a backup", remedy):
                names = _attributes(self.callbacks[i])
                values.append({name: saved["state"][name] for name in names})
            if "best_weights" in saved:
                arrays = folder / _best_weights(i)
                with advising(arrays, "weights of the best epoch", remedy):
                    values[-1]["best_weights"] = [*load_npz(arrays).values()]
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        path = folder / "model.weights.h5"
        load_weights(self.model, path, state.get("weights_crc32c"), remedy)
        return state, values

    def on_epoch_end(self, epoch, logs=None):
        logs = {**(logs or {}), "epoch": epoch}
        length = len(self.history.get("epoch", ()))
        for key in dict.fromkeys([*self.history, *logs]):
            values = self.history.setdefault(key, [None] * length)
            values.append(None if key not in logs else _plain(logs[key]))
        if not self.save:
            return
        final = self.backup_dir / f"epoch_{epoch + 1:07d}"
        # Keep two backups: a power failure may damage the latest one.
        older = sorted(self.backup_dir.glob("epoch_*[0-9]"))
        older = [folder for folder in older if folder < final][:-1]
        with written_aside(final) as partial:
            partial.mkdir()
            self._write(partial, epoch)
        for folder in older:
            shutil.rmtree(folder, ignore_errors=True)

    def _write(self, folder, epoch):
        path = folder / "model.weights.h5"
        save_weights(self.model, path)
        saved = []
        for i, callback in enumerate(self.callbacks):
            values = {
                key: _plain(getattr(callback, key))
                for key in _attributes(callback)
            }
            saved.append(
                {"class_name": type(callback).__name__, "state": values}
            )
            best_weights = getattr(callback, "best_weights", None)
            if best_weights is not None:
                saved[-1]["best_weights"] = name = _best_weights(i)
                np.savez(folder / name, *best_weights)
        state = {
            "epoch": epoch + 1,
            "stopped": bool(self.model.stop_training),
            "callbacks": saved,
            "history": self.history,
            "weights_crc32c": checksum(path),
        }
        write_record(folder / "state.json", state)


def _attributes(callback):
    for kind, names in STATE.items():
        if isinstance(callback, kind):
            return names
    return ()


def _plain(value):
    """Convert a tensor or NumPy scalar to a JSON value."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return float(keras.ops.convert_to_numpy(value))


def _best_weights(i):
    """Name of the file with a callback's best weights."""
    return f"best_weights_{i}.npz"
