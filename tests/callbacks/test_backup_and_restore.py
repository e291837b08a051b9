import json
import pathlib
import shutil

import filelock
import keras
import numpy as np
import pytest

from loupe_tf.callbacks import BackupAndRestore, SelfShrinkingSigmoidSlope
from loupe_tf.reading import BadFileError


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


class Tempered(keras.layers.Layer):
    def build(self, input_shape):
        self.slope = self.add_weight(shape=(), trainable=False)
        self.scale = self.add_weight(shape=())

    def call(self, inputs):
        return self.scale * self.slope * inputs


def _fit(folder, *others, epochs=12, units=3, patience=4, save=True):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])
    # Not traced: these are many trainings of a few small steps.
    model.compile(keras.optimizers.SGD(0.9), loss="mse", run_eagerly=True)
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(
            "loss", factor=0.5, patience=1, min_delta=0.05
        ),
        keras.callbacks.EarlyStopping(
            "loss", min_delta=0.02, patience=patience, restore_best_weights=True
        ),
        keras.callbacks.ModelCheckpoint(
            folder.with_suffix(".keras"), "loss", save_best_only=True
        ),
    ]
    backup = BackupAndRestore(folder, callbacks, save)
    model.fit(
        x,
        x[:, :units],
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[*callbacks, *others, backup],
    )
    return model, backup, callbacks


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stops: its model, backup and callbacks."""
    return _fit(tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize("epoch", [1, 7])
def test_counters_learning_rate_and_history_go_on(tmp_path, whole, epoch):
    model, backup, callbacks = whole
    with pytest.raises(KeyboardInterrupt):
        _fit(tmp_path / "killed", Interrupt(epoch))
    resumed, again, others = _fit(tmp_path / "killed")
    assert again.history == backup.history
    assert len(set(backup.history["learning_rate"])) > 1
    for a, b in zip(callbacks, others):
        for name in ("best", "wait", "best_epoch", "cooldown_counter"):
            assert getattr(a, name, None) == getattr(b, name, None)
    for a, b in zip(model.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_epochs_without_validation_go_on(tmp_path):
    def fit(folder, *others):
        keras.utils.set_random_seed(0)
        x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
        model = keras.Sequential([keras.Input((4,)), Tempered(name="a")])
        model.get_layer("a").slope.assign(2.0)
        model.compile(keras.optimizers.SGD(0.9), loss="mse")
        callbacks = [
            SelfShrinkingSigmoidSlope(patience=1, cooldown=1, min_delta=9),
            keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5),
        ]
        backup = BackupAndRestore(folder, callbacks)
        model.fit(
            x,
            x,
            validation_data=(x, x),
            validation_freq=2,
            epochs=9,
            shuffle=False,
            verbose=0,
            callbacks=[*callbacks, *others, backup],
        )
        return backup.history

    whole = fit(tmp_path / "whole")
    for epoch in (3, 4):
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / "killed", Interrupt(epoch))
    assert fit(tmp_path / "killed") == whole
    assert len(set(whole["slope"])) > 1
    assert {len(values) for values in whole.values()} == {9}
    gaps = [value is None for value in whole["val_loss"]]
    assert gaps == [epoch % 2 == 0 for epoch in range(9)]


def test_best_weights_of_early_stopping_survive(tmp_path):
    def fit(*others):
        return _fit(tmp_path / "run", *others, patience=100)

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupt(9))
    _, _, (_, before, _) = fit(Interrupt(12))
    assert before.best_weights is not None
    saved = next((tmp_path / "run").glob("epoch_*"))
    assert list(saved.glob("best_weights_*.npz"))


def test_a_run_that_had_stopped_stays_stopped(tmp_path):
    _, backup, _ = _fit(tmp_path / "run", patience=1)
    epochs = len(backup.history["loss"])
    assert epochs < 12
    _, again, _ = _fit(tmp_path / "run", patience=1)
    assert again.history == backup.history


def test_what_is_half_written_is_not_read(tmp_path):
    _, backup, _ = _fit(tmp_path / "run", epochs=3)
    (tmp_path / "run" / "epoch_0000009.partial").mkdir()
    _, again, _ = _fit(tmp_path / "run", epochs=3)
    assert again.history == backup.history


def test_the_last_two_backups_are_kept(tmp_path):
    _fit(tmp_path / "run", epochs=5)
    names = sorted(path.name for path in (tmp_path / "run").glob("epoch_*"))
    assert names == ["epoch_0000004", "epoch_0000005"]
    state = json.loads((tmp_path / "run/epoch_0000005/state.json").read_text())
    assert state["epoch"] == 5


def _damage(path):
    content = bytearray(path.read_bytes())
    # There are gaps in a .npz file: the end of an array's header is none.
    at = content.find(b"}") if path.suffix == ".npz" else len(content) // 2
    content[at] ^= 1
    path.write_bytes(content)


def _empty(path):
    path.write_bytes(b"")


FILES = ("state.json", "model.weights.h5", "best_weights_1.npz")


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """The folder of a run of five epochs."""
    folder = tmp_path_factory.mktemp("five") / "run"
    _fit(folder, epochs=5)
    return folder


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """A run of six epochs."""
    return _fit(tmp_path_factory.mktemp("six") / "run", epochs=6)


@pytest.mark.parametrize(
    "name, damage",
    [
        ("state.json", _empty),
        ("model.weights.h5", _damage),
        ("best_weights_1.npz", pathlib.Path.unlink),
    ],
)
def test_a_damaged_backup_is_named_and_the_one_before_taken(
    tmp_path, five, six, name, damage
):
    whole, backup, _ = six
    shutil.copytree(five, tmp_path / "run")
    shutil.copy(five.with_suffix(".keras"), tmp_path)
    folders = sorted((tmp_path / "run").glob("epoch_*"))
    damage(folders[1] / name)
    with pytest.warns(UserWarning, match=f"{folders[1] / name}.*backup before"):
        resumed, again, _ = _fit(tmp_path / "run", epochs=6)
    assert again.history == backup.history
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_damaged_backups_say_what_to_do(tmp_path):
    run = tmp_path / "run"
    _fit(run, epochs=3)
    (older, newer) = sorted(run.glob("epoch_*"))
    shutil.rmtree(older)
    for name in FILES:
        content = (newer / name).read_bytes()
        _damage(newer / name)
        match = rf"{name}\. .*Delete {run} to start"
        with pytest.raises(BadFileError, match=match):
            _fit(run, epochs=4)
        (newer / name).write_bytes(content)


def test_a_state_without_checksum_is_looked_at(tmp_path):
    """Those of version 0.1.0 have none, and a private class among them."""
    _fit(tmp_path / "run", epochs=1)
    path = tmp_path / "run/epoch_0000001/state.json"
    state = json.loads(path.read_text())
    del state["crc32c"], state["weights_crc32c"]
    for saved in state["callbacks"]:
        saved["class_name"] = f"_{saved['class_name']}"
    path.write_text(json.dumps(state))
    _, again, _ = _fit(tmp_path / "run", epochs=1)
    assert len(again.history["loss"]) == 1
    del state["callbacks"][0]["state"]["wait"]
    path.write_text(json.dumps(state))
    with pytest.raises(BadFileError, match="state.json.*wait"):
        _fit(tmp_path / "run", epochs=1)


def test_a_state_sets_nothing_else(tmp_path):
    _fit(tmp_path / "run", epochs=1)
    path = tmp_path / "run/epoch_0000001/state.json"
    state = json.loads(path.read_text())
    del state["crc32c"]
    state["callbacks"][1]["state"]["patience"] = 0
    state["callbacks"][1]["best_weights"] = "../../elsewhere.npz"
    path.write_text(json.dumps(state))
    _, _, (_, stopping, _) = _fit(tmp_path / "run", epochs=1)
    assert stopping.patience == 4


def test_a_full_disk_leaves_the_backup_before(tmp_path, full_disk):
    whole, backup, _ = _fit(tmp_path / "whole", epochs=3)
    with pytest.raises(OSError, match="File too large.*MB free.*epoch_0000002"):
        _fit(tmp_path / "run", full_disk(1000, at=1), epochs=3)
    full_disk.ends()
    names = [path.name for path in (tmp_path / "run").iterdir()]
    assert sorted(names) == [".lock", "epoch_0000001"]
    resumed, again, _ = _fit(tmp_path / "run", epochs=3)
    assert again.history == backup.history
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_another_process_in_the_folder_is_named(tmp_path):
    (tmp_path / "run").mkdir()
    with filelock.FileLock(tmp_path / "run" / ".lock"):
        with pytest.raises(ValueError, match=f"{tmp_path / 'run'}, in which"):
            _fit(tmp_path / "run", epochs=1)
        _fit(tmp_path / "run", epochs=1, save=False)
    _fit(tmp_path / "run", epochs=1)


def test_what_killed_processes_leave_is_removed(tmp_path):
    stray = tmp_path / "run" / ".epoch_0000002.abc"
    stray.mkdir(parents=True)
    _fit(tmp_path / "run", epochs=1)
    assert not stray.exists()


def test_a_later_fit_is_not_told_of_an_earlier_one(tmp_path):
    model, _, _ = _fit(tmp_path / "other", epochs=1)
    model._initial_epoch = 3  # As a resumed run that was killed leaves it.
    backup = BackupAndRestore(tmp_path / "run")
    x = np.zeros((8, 4), "float32")
    model.fit(x, x[:, :3], epochs=1, callbacks=[backup], verbose=0)
    assert len(backup.history["loss"]) == 1


def test_a_fit_after_a_resumed_one_trains_all_its_epochs(tmp_path):
    _fit(tmp_path / "run", epochs=3)
    model, backup, _ = _fit(tmp_path / "run", epochs=5)
    assert len(backup.history["loss"]) == 5
    x = np.zeros((8, 4), "float32")
    history = model.fit(x, x[:, :3], epochs=2, verbose=0).history
    assert len(history["loss"]) == 2


def test_backup_of_another_model(tmp_path):
    _fit(tmp_path / "run", epochs=1)
    with pytest.raises(ValueError, match="backup.*Expected the weights"):
        _fit(tmp_path / "run", units=2)


def test_backup_with_other_callbacks(tmp_path):
    model, _, _ = _fit(tmp_path / "run", epochs=1)
    backup = BackupAndRestore(tmp_path / "run")
    backup.set_model(model)
    with pytest.raises(ValueError, match=r"callbacks \[\].*ReduceLROnPlateau"):
        backup.on_train_begin()


def test_another_worker_restores_and_writes_nothing(tmp_path):
    whole, backup, _ = _fit(tmp_path / "whole", epochs=5)
    _fit(tmp_path / "run", epochs=3)
    before = sorted((tmp_path / "run").rglob("*"))
    other, again, _ = _fit(tmp_path / "run", epochs=5, save=False)
    assert sorted((tmp_path / "run").rglob("*")) == before
    assert again.history == backup.history
    np.testing.assert_array_equal(
        other.get_weights()[0], whole.get_weights()[0]
    )
