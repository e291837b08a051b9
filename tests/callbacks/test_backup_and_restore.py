import json

import keras
import numpy as np
import pytest

from loupe_tf.callbacks import BackupAndRestore, SelfShrinkingSigmoidSlope


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
    model.compile(keras.optimizers.SGD(0.9), loss="mse")
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


@pytest.mark.parametrize("epoch", [1, 3, 7])
def test_counters_learning_rate_and_history_go_on(tmp_path, epoch):
    whole, backup, callbacks = _fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        _fit(tmp_path / "killed", Interrupt(epoch))
    resumed, again, others = _fit(tmp_path / "killed")
    assert again.history == backup.history
    assert len(set(backup.history["learning_rate"])) > 1
    for a, b in zip(callbacks, others):
        for name in ("best", "wait", "best_epoch", "cooldown_counter"):
            assert getattr(a, name, None) == getattr(b, name, None)
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_epochs_without_validation_go_on(tmp_path):
    def fit(folder, *others):
        keras.utils.set_random_seed(0)
        x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
        model = keras.Sequential([keras.Input((4,)), Tempered(name="a")])
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


def test_one_backup_is_kept(tmp_path):
    _fit(tmp_path / "run", epochs=3)
    names = [path.name for path in (tmp_path / "run").iterdir()]
    assert names == ["epoch_0000003"]
    state = json.loads((tmp_path / "run/epoch_0000003/state.json").read_text())
    assert state["epoch"] == 3


def test_a_later_fit_is_not_told_of_an_earlier_one(tmp_path):
    _fit(tmp_path / "run", epochs=3)
    model, _, _ = _fit(tmp_path / "run", epochs=5)
    assert model._initial_epoch == 3
    backup = BackupAndRestore(tmp_path / "other")
    x = np.zeros((8, 4), "float32")
    model.fit(x, x[:, :3], epochs=1, callbacks=[backup], verbose=0)
    assert len(backup.history["loss"]) == 1


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
