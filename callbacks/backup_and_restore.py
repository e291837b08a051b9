import json
import os
import pathlib
import shutil

import keras
import numpy as np

# What each of Keras's own callbacks would need to go on, and does not save.
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


class BackupAndRestore(keras.callbacks.Callback):
    """Back up a whole training run, so that one killed at any moment goes on.

    Keras's callback of the same name keeps weights, optimizer and epoch. This
    one keeps the counters of `EarlyStopping`, `ReduceLROnPlateau` and
    `ModelCheckpoint` as well, the logs of all epochs, and whether training had
    been told to stop; and it never leaves a backup half written: each is made
    in a folder of its own, which is renamed when it is complete. (4S keeps its
    counters in the weights, and needs nothing here.)

    Args:
        backup_dir: String, folder of the backups. It must belong to this run
            alone. It stays when training ends: delete it to start again.
        callbacks: List of the other callbacks of the run, whose counters are
            to be kept.
        save: Boolean. Whether to write backups. Of several workers that share
            the folder one writes, and all of them restore.

    Attributes:
        history: Dict of lists with one value an epoch, the logs of all epochs,
            those before a restart included; `None` where an epoch lacks one,
            as those without validation do.

    Raises:
        ValueError: When training begins, if the backup is of a model of other
            weights, or of other callbacks.

    Example:

    ```python
    callbacks = [
        SelfShrinkingSigmoidSlope(),
        keras.callbacks.EarlyStopping(patience=100),
    ]
    callbacks.append(BackupAndRestore("backup", callbacks))  # last
    model.fit(train, epochs=1000, callbacks=callbacks)
    ```
    """

    def __init__(self, backup_dir, callbacks=(), save=True):
        super().__init__()
        self.backup_dir = pathlib.Path(backup_dir)
        self.callbacks = [c for c in callbacks if _attributes(c)]
        self.save = save
        self.history = {}

    def on_train_begin(self, logs=None):
        self.history = {}
        # Keras keeps it from an earlier `fit` that was resumed.
        self.model._initial_epoch = None
        backups = sorted(self.backup_dir.glob("epoch_*[0-9]"))
        if not backups:
            return
        state = json.loads((backups[-1] / "state.json").read_text())
        kinds = [type(c).__name__ for c in self.callbacks]
        if kinds != [s["class_name"] for s in state["callbacks"]]:
            raise ValueError(
                f"Invalid backup in {self.backup_dir}. Expected that of a run "
                f"with the callbacks {kinds}. Received: "
                f"{[s['class_name'] for s in state['callbacks']]}"
            )
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        try:
            self.model.load_weights(backups[-1] / "model.weights.h5")
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"Invalid backup in {self.backup_dir}. Expected the weights "
                f"of model '{self.model.name}'. Received: {error}"
            ) from error
        for callback, saved in zip(self.callbacks, state["callbacks"]):
            for key, value in saved["state"].items():
                setattr(callback, key, value)
            best_weights = _load_arrays(backups[-1], saved.get("best_weights"))
            if best_weights is not None:
                callback.best_weights = best_weights
        self.history = state["history"]
        # What Keras's own `BackupAndRestore` sets. A run that had been told to
        # stop has no epochs left.
        self.model._initial_epoch = (
            self.params["epochs"] if state["stopped"] else state["epoch"]
        )

    def on_epoch_end(self, epoch, logs=None):
        logs = {**(logs or {}), "epoch": epoch}
        length = len(self.history.get("epoch", ()))
        for key in dict.fromkeys([*self.history, *logs]):
            values = self.history.setdefault(key, [None] * length)
            values.append(None if key not in logs else _plain(logs[key]))
        if not self.save:
            return
        final = self.backup_dir / f"epoch_{epoch + 1:07d}"
        partial = final.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self.model.save_weights(partial / "model.weights.h5")
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
                saved[-1]["best_weights"] = name = f"best_weights_{i}.npz"
                np.savez(partial / name, *best_weights)
        state = {
            "epoch": epoch + 1,
            "stopped": bool(self.model.stop_training),
            "callbacks": saved,
            "history": self.history,
        }
        (partial / "state.json").write_text(json.dumps(state))
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
        for old in self.backup_dir.glob("epoch_*"):
            if old != final:
                shutil.rmtree(old, ignore_errors=True)


def _attributes(callback):
    for kind, names in STATE.items():
        if isinstance(callback, kind):
            return names
    return ()


def _plain(value):
    """A JSON value of what Keras may keep as a tensor or NumPy scalar."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return float(keras.ops.convert_to_numpy(value))


def _load_arrays(folder, name):
    if name is None:
        return None
    with np.load(folder / name, allow_pickle=False) as arrays:
        return [arrays[key] for key in arrays.files]
