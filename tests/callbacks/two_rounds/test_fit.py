import json
import os
import pathlib
import signal
import subprocess
import sys

import filelock
import keras
import numpy as np
import pytest

from loupe_tf import metrics
from loupe_tf.callbacks import (
    SelfShrinkingSigmoidSlope,
    SlopeSchedule,
    constant,
    fit_two_rounds,
)
from loupe_tf.models import loupe_model
from loupe_tf.reading import BadFileError

# A run that, told so, kills its own process with SIGKILL.
RUN = """
import json, os, signal, sys
import keras, numpy as np
from loupe_tf.callbacks import SelfShrinkingSigmoidSlope, fit_two_rounds
from loupe_tf.models import loupe_model

folder, when, monitor = sys.argv[1:]


class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if when == f"batch {self.epoch}":
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_end(self, epoch, logs=None):
        if when == f"epoch {epoch}":
            os.kill(os.getpid(), signal.SIGKILL)


if when.startswith("backup"):
    replace = os.replace

    def killing(source, target):
        if str(target).endswith("epoch_%07d" % int(when.split()[1])):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = killing

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).uniform(size=(12, 12, 12, 1)).astype("float32")
# A network that begins at random is no better after some of these epochs.
model = loupe_model(
    (12, 12, 1), 4, filters=2, depth=1, output_initializer="glorot_uniform",
    seed=0,
)
model.compile(keras.optimizers.Adam(0.05), loss="mse")
history = fit_two_rounds(
    model, x[:8], x[8:], epochs=(7, 6), batch_size=3, monitor=monitor,
    slope_callback=SelfShrinkingSigmoidSlope(monitor, patience=1, cooldown=1),
    stop_patience=5, lr_patience=1, directory=folder, callbacks=[Kill()],
    verbose=0,
)
print(json.dumps({
    "history": history.history,
    "epoch": history.epoch,
    "slope": float(model.get_layer("sampled_mask").slope),
    "weights": [float(np.abs(w).sum()) for w in model.get_weights()],
}))
"""


def _run(tmp_path, folder, when, monitor="val_loss"):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    return subprocess.run(
        [sys.executable, script, tmp_path / folder, when, monitor],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            # One thread: sums in the same order, runs equal to the last bit.
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
        },
        cwd=tmp_path,
    )


@pytest.mark.slow
@pytest.mark.parametrize("monitor", ["val_loss", "val_relaxed_loss"])
def test_killed_and_resumed_is_as_if_not_killed(tmp_path, monitor):
    whole = _run(tmp_path, "whole", "never", monitor)
    assert whole.returncode == 0, whole.stderr
    whole = json.loads(whole.stdout.splitlines()[-1])
    rounds = whole["history"]["round"]
    assert set(rounds) == {1, 2}
    assert len(set(whole["history"]["slope"])) > 1
    second = rounds.index(2)
    # In the middle of an epoch, while a backup is written, and between the end
    # of an epoch of round two and its backup.
    for when in ("batch 2", "backup 4", f"epoch {second + 1}"):
        killed = _run(tmp_path, "killed", when, monitor)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = _run(tmp_path, "killed", "never", monitor)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout.splitlines()[-1]) == whole


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    # The mask alone is trained: a network would take longer to compile.
    model = loupe_model((16, 18, 1), 4, reconstructor="zero_filled", seed=0)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    return model


@pytest.mark.graph
def test_leaves_the_global_best_and_one_history(model, images):
    history = fit_two_rounds(
        model,
        images[:6],
        images[6:],
        epochs=(4, 3),
        batch_size=2,
        lr_patience=1,
        verbose=0,
    )
    assert history.history["round"] == [1] * 4 + [2] * 3
    assert history.epoch == list(range(7))
    assert {len(v) for v in history.history.values()} == {7}
    best = min(history.history["val_loss"])
    got = model.evaluate(images[6:], images[6:], verbose=0)
    np.testing.assert_allclose(got, best, rtol=1e-4)
    at = history.history["val_loss"].index(best)
    slope = float(model.get_layer("sampled_mask").slope)
    assert slope == history.history["slope"][at]


def test_round_two_starts_from_the_best_of_round_one(model, images):
    """The slope of the best epoch holds in all of round two."""
    history = fit_two_rounds(
        model,
        images[:6],
        images[6:],
        epochs=(5, 3),
        slope_callback=SlopeSchedule(lambda epoch: 10.0 * (epoch + 1)),
        verbose=0,
    ).history
    best = int(np.argmin(history["val_loss"][:5]))
    assert set(history["slope"][5:]) == {10.0 * (best + 1)}
    assert set(history["learning_rate"][:5]) == {np.float32(0.01).item()}


def test_an_ended_run_is_not_run_again(tmp_path, model, images):
    def fit(seed=0):
        return fit_two_rounds(
            model,
            images[:6],
            images[6:],
            epochs=2,
            slope_callback=SlopeSchedule(constant(50.0)),
            directory=tmp_path / "run",
            seed=seed,
            verbose=0,
        )

    first = fit()
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").iterdir()}
    second = fit()
    assert first.history == second.history
    now = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").iterdir()}
    assert files == now
    with pytest.raises(ValueError, match="`directory`.*seed=1.*seed=0"):
        fit(seed=1)


@pytest.fixture
def ended(tmp_path, model, images):
    """Trains in a folder; training again returns what is there."""

    def fit():
        return fit_two_rounds(
            model,
            images[:6],
            images[6:],
            epochs=(2, 1),
            slope_callback=SlopeSchedule(constant(50.0)),
            directory=tmp_path / "run",
            verbose=0,
        )

    fit()
    return fit


def test_damaged_files_are_named_and_say_what_to_do(tmp_path, ended):
    record = json.loads((tmp_path / "run/round_2.json").read_text())
    best = record["weights"].replace(".weights.h5", ".json")
    for name, remedy in (
        ("settings.json", "Delete it if the run"),
        ("round_1.json", "Delete it to train round 1 again"),
        ("round_2.json", "Delete it to train round 2 again"),
        (record["weights"], f"{best} to train that round again"),
    ):
        path = tmp_path / "run" / name
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], b"", b"[]"):
            path.write_bytes(damaged)
            with pytest.raises(BadFileError, match=f"{name}.*{remedy}"):
                ended()
        damaged = bytearray(content)
        damaged[len(content) * 3 // 4] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=rf"{name}|`directory`"):
            ended()
        path.write_bytes(content)


def test_a_run_without_checksums_is_found_again(tmp_path, ended):
    """Those of version 0.1.0 have none."""
    whole = ended().history
    for path in (tmp_path / "run").glob("round_*.json"):
        record = json.loads(path.read_text())
        del record["crc32c"], record["weights_crc32c"]
        path.write_text(json.dumps(record))
    assert ended().history == whole
    (tmp_path / "run/round_2.json").unlink()
    again = ended().history
    assert again["val_loss"] == pytest.approx(whole["val_loss"])


def test_a_run_of_version_0_1_0_says_what_to_do(tmp_path, model, images):
    """It noted neither the data nor what the slope callback was told."""
    settings = {
        "model": model.name,
        "parameters": model.count_params(),
        "epochs": [2, 1],
        "batch_size": 16,
        "monitor": "val_loss",
        "stop_patience": 100,
        "lr": [50, 0.2, 1e-6],
        "seed": 0,
        "slope_callback": "SelfShrinkingSigmoidSlope",
    }
    record = {"history": {}, "epochs": 0, "best": 0.1, "weights": None}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    (tmp_path / "round_1.json").write_text(json.dumps(record))
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    match = "`directory`.*another version.*'samplers', 'data'.*finish it with"
    with pytest.raises(ValueError, match=match):
        fit_two_rounds(
            model, images, images, (2, 1), directory=tmp_path, verbose=0
        )
    assert files == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_settings_that_trained_nothing_claim_no_folder(tmp_path, model, images):
    def fit(**options):
        return fit_two_rounds(
            model, images, images, 1, directory=tmp_path, verbose=0, **options
        )

    with pytest.raises(ValueError, match="`monitor`"):
        fit(monitor="val_x", mode="min")
    assert fit().history["round"] == [1, 2]


def test_a_deleted_record_trains_what_follows_again(tmp_path, ended):
    (tmp_path / "run/round_1.json").unlink()
    (tmp_path / "run/round_2.weights.h5").write_bytes(b"stale")
    assert ended().history["round"] == [1, 1, 2]


def test_a_record_names_no_other_file(tmp_path, ended):
    path = tmp_path / "run/round_2.json"
    record = json.loads(path.read_text())
    del record["crc32c"]
    path.write_text(json.dumps({**record, "weights": "../other.weights.h5"}))
    with pytest.raises(BadFileError, match="round_2.json.*other.weights.h5"):
        ended()


def test_another_process_in_the_folder_is_named(tmp_path, model, images):
    def fit():
        fit_two_rounds(
            model, images, images, epochs=0, directory=tmp_path, verbose=0
        )

    with filelock.FileLock(tmp_path / ".lock"):
        with pytest.raises(ValueError, match=f"{tmp_path}, in which another"):
            fit()


def test_without_a_slope(images):
    model = loupe_model((16, 18, 1), mask=np.ones((16, 18)), filters=2, depth=1)
    model.compile("adam", loss="mse")
    history = fit_two_rounds(
        model, images, images, epochs=1, slope_callback=False, verbose=0
    )
    assert "slope" not in history.history
    with pytest.raises(ValueError, match="no slope"):
        fit_two_rounds(model, images, images, epochs=1, verbose=0)


def test_a_learning_rate_schedule_goes_on_in_round_two(model, images):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5)
    model.compile(keras.optimizers.Adam(schedule), loss="mse")
    history = fit_two_rounds(
        model, images, images, epochs=2, lr_patience=1, verbose=0
    )
    rates = history.history["learning_rate"]
    assert len(rates) == 4
    # Round two starts from the best epoch of round one, the second or before.
    assert rates[1] < rates[0] and rates[3] < rates[2] < rates[0]


def test_a_data_set_of_batches(model, images):
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return (images[4 * index :][:4],) * 2

    history = fit_two_rounds(model, Batches(), Batches(), epochs=1, verbose=0)
    assert history.history["round"] == [1, 2]


@pytest.mark.parametrize(
    "kind, monitor", [(list, "val_relaxed_loss"), (dict, "val_loss")]
)
def test_several_inputs(tmp_path, images, kind, monitor):
    model = loupe_model((16, 18, 1), (4, 8), reconstructor="zero_filled")
    model.compile(keras.optimizers.Adam(0.05), loss="mse")
    inputs = {
        "input": images,
        "acceleration_index": np.arange(len(images)) % 2,
    }
    if kind is list:
        inputs = list(inputs.values())
    before = keras.ops.convert_to_numpy(model.get_layer("prob_mask").logits)
    arguments = {
        "epochs": (2, 1),
        "batch_size": 3,
        "monitor": monitor,
        "directory": tmp_path,
        "verbose": 0,
    }
    data = (inputs, images), (inputs, images)
    history = fit_two_rounds(model, *data, **arguments).history
    assert history["round"] == [1, 1, 2]
    assert np.isfinite(history[monitor]).all()
    after = keras.ops.convert_to_numpy(model.get_layer("prob_mask").logits)
    assert np.abs(after - before).max() > 0
    # It is known again, and other data are not taken for it.
    again = fit_two_rounds(model, *data, **arguments).history
    assert again["val_loss"] == history["val_loss"]
    others = keras.tree.map_structure(lambda array: array[::-1][1:], inputs)
    with pytest.raises(ValueError, match="`directory`.*data"):
        fit_two_rounds(model, (others, images[1:]), data[1], **arguments)


def test_a_run_that_diverges_ends_with_what_it_has(images):
    model = loupe_model((16, 18, 1), 4, filters=2, depth=1, seed=0)
    model.compile(keras.optimizers.Adam(float("inf")), loss="mse")
    history = fit_two_rounds(
        model, images, images, epochs=(2, 1), verbose=0
    ).history
    assert not np.isfinite(history["val_loss"]).all()


@pytest.mark.parametrize(
    "train, match",
    [
        (np.zeros((4, 16, 18, 1), "int16"), "`train`.*dtype=.*int16"),
        (np.zeros((4, 16, 18, 1), "complex64"), "`train`.*dtype=.*complex64"),
        (np.full((4, 16, 18, 1), np.nan, "float32"), r"`train`.*\[0, 1, 2, 3"),
        (([np.zeros((4, 1)), np.zeros(3)], np.zeros((4, 1))), r"\[4, 3, 4\]"),
        (
            ([np.zeros((4, 1)), np.array(list("abcd"))], np.zeros((4, 1))),
            "`train`.*dtype=.*U1",
        ),
    ],
)
def test_invalid_data(model, images, train, match):
    with pytest.raises(ValueError, match=match):
        fit_two_rounds(model, train, images, epochs=1, verbose=0)


def test_absent_monitor(model, images):
    for mode, match in (
        ("auto", "`mode`.*loss.*'val_x'"),
        ("min", "`monitor`.*val_loss.*'val_x'"),
    ):
        with pytest.raises(ValueError, match=match):
            fit_two_rounds(
                model,
                images,
                images,
                epochs=1,
                monitor="val_x",
                mode=mode,
                verbose=0,
            )


class Worsening(keras.callbacks.Callback):
    """Moves the mask away from the centre, by two columns in each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        rows, columns = np.indices((16, 18)).astype("float32")
        shift = 2 * epoch + min(epoch, 1)  # One is hardly worse than none.
        distance = np.hypot(rows - 8, columns - 9 - shift)
        self.model.get_layer("prob_mask").logits.assign(1 - 0.2 * distance)


@pytest.fixture
def judged(images):
    """A model that does not learn, with the metrics of images."""
    keras.utils.set_random_seed(0)
    model = loupe_model(
        (16, 18, 1), 4, slope=20.0, reconstructor="zero_filled", seed=0
    )
    judges = [metrics.PSNR(), metrics.NMSE()]
    model.compile(keras.optimizers.SGD(1e-3), loss="mse", metrics=judges)
    return model


@pytest.mark.parametrize(
    "monitor, best",
    [
        pytest.param("val_psnr", max, marks=pytest.mark.graph),
        ("val_relaxed_psnr", max),
        ("val_nmse", min),
    ],
)
def test_the_best_epoch_of_any_metric(judged, images, monitor, best):
    """Metrics may grow: the checkpoint, 4S and the patience know it."""
    early = keras.callbacks.EarlyStopping(monitor, patience=100)
    slope = SelfShrinkingSigmoidSlope(monitor, patience=1, cooldown=0)
    history = fit_two_rounds(
        judged,
        images,
        images,
        epochs=(4, 4),
        monitor=monitor,
        slope_callback=slope,
        stop_patience=2,
        lr_patience=1,
        callbacks=[Worsening(), early],
        verbose=0,
    ).history
    values = history[monitor]
    assert early.best == best(values[history["round"].index(2) :])
    assert values[0] == best(values)
    if "relaxed" in monitor:
        return  # Its masks are drawn: how the others rank is chance.
    got = judged.evaluate(images, images, verbose=0, return_dict=True)
    np.testing.assert_allclose(
        got[monitor.removeprefix("val_")], best(values), rtol=1e-5
    )
    # The first epoch is the best, and patience runs out after two more.
    assert history["round"] == [1, 1, 1, 2, 2, 2]
    assert history["slope"] == [20, 20, 30, 20, 20, 20]
    np.testing.assert_allclose(history["learning_rate"][-2:], [1e-3, 2e-4])


def test_callbacks_agree_on_the_direction(judged, images):
    def fit(**options):
        fit_two_rounds(judged, images, images, epochs=1, verbose=0, **options)

    early = keras.callbacks.EarlyStopping("val_psnr", mode="min")
    with pytest.raises(ValueError, match="'max'.*EarlyStopping.*'min'"):
        fit(monitor="val_psnr", callbacks=[early])
    with pytest.raises(ValueError, match="'min'.*SelfShrinking.*'max'"):
        fit(slope_callback=SelfShrinkingSigmoidSlope(mode="max"))
    with pytest.raises(ValueError, match="`mode`.*'highest'"):
        fit(mode="highest")


def test_epochs_without_validation_count_for_nothing(tmp_path, judged, images):
    def fit(**options):
        return fit_two_rounds(
            judged,
            images,
            images,
            validation_freq=2,
            directory=tmp_path,
            slope_callback=SelfShrinkingSigmoidSlope(patience=1, cooldown=0),
            callbacks=[Worsening()],
            verbose=0,
            **options,
        )

    with pytest.raises(ValueError, match="`validation_freq`.*=2.*epochs"):
        fit(epochs=(4, 1))
    history = fit(epochs=(6, 2)).history
    losses = history["val_loss"]
    assert [loss is None for loss in losses] == [True, False] * 4
    assert history["slope"][:6] == [20.0] * 4 + [30.0] * 2
    got = judged.evaluate(images, images, verbose=0)[0]
    np.testing.assert_allclose(got, min(losses[1::2]), rtol=1e-5)


def test_not_compiled(images):
    model = loupe_model((16, 18, 1), 4, reconstructor="zero_filled")
    with pytest.raises(ValueError, match="compiled"):
        fit_two_rounds(model, images, images)


def test_settings_name_the_run(tmp_path, model, images):
    fit_two_rounds(
        model, images, images, epochs=1, directory=tmp_path, verbose=0
    )
    settings = json.loads(pathlib.Path(tmp_path, "settings.json").read_text())
    slope_callback = settings["slope_callback"]
    assert slope_callback["class_name"] == "SelfShrinkingSigmoidSlope"
    assert slope_callback["patience"] == 40
    other = SelfShrinkingSigmoidSlope(patience=7)
    with pytest.raises(ValueError, match="'patience': 7.*'patience': 40"):
        fit_two_rounds(
            model,
            images,
            images,
            epochs=1,
            slope_callback=other,
            directory=tmp_path,
            verbose=0,
        )
