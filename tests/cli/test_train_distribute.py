import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf import masks

COMMAND = ("-m", "loupe_tf.cli", "train")

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="each run has a process and a backend of its own",
)


def command(data, out, *others):
    return [
        *COMMAND,
        *("--data", data, "--out", out, "--epochs", "6", "1"),
        *("--filters", "2", "--depth", "1", "--batch-size", "4"),
        # So high that the loss rises now and then, and 4S has work to do.
        *("--learning-rate", "0.3", "--patience", "1", "--cooldown", "0"),
        *others,
    ]


def run(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=400,
        env={k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"},
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six volumes of three 16×18 slices."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for i in range(6):
        volume = rng.uniform(size=(3, 16, 18)).astype("float32")
        np.save(folder / f"volume_{i}.npy", volume)
    return folder


@pytest.fixture(scope="module")
def mirrored(data, tmp_path_factory):
    """The folder of a run on two logical devices."""
    out = tmp_path_factory.mktemp("mirrored") / "run"
    others = ("--distribute", "mirrored", "--logical-devices", "2")
    result = run(*command(data, out, *others))
    assert result.returncode == 0, result.stderr[-3000:]
    assert "Training on MirroredStrategy, 2 replicas" in result.stdout
    return out


def check(out, devices, backend):
    """Everything is there, as after a run on one device."""
    facts = json.loads((out / "metrics.json").read_text())["facts"]
    assert facts["devices"] == f"{devices}, 2 replicas"
    assert f" on {backend}," in facts["versions"]
    assert "PSNR" in (out / "report.html").read_text()
    mask = masks.SamplingMask.load(out / "mask.npz")
    assert mask.array.sum() == round(16 * 18 / 4)
    # A model for one device, of any backend.
    model = keras.models.load_model(out / "model.keras")
    np.testing.assert_array_equal(masks.from_model(model).array, mask.array)
    assert model.predict(np.zeros((3, 16, 18, 1)), verbose=0).shape[0] == 3
    histories = json.loads((out / "history.json").read_text())
    assert histories["learned"]["round"] == [1] * 6 + [2]
    assert len(set(histories["learned"]["slope"])) > 1
    return histories


@pytest.mark.slow
def test_mirrored(mirrored):
    check(mirrored, "MirroredStrategy", "tensorflow")


@pytest.mark.slow
@pytest.mark.parametrize("victim", [1, 0])
def test_multiworker_killed_and_started_again(
    data, mirrored, tmp_path, start_workers, wait_until, victim
):
    """As if it had not been killed, which is what two devices would do."""
    out = tmp_path / "run"
    arguments = command(data, out, "--distribute", "multiworker")
    processes = start_workers(*arguments)
    backups = out / "backup_learned" / "round_1"
    wait_until(lambda: list(backups.glob("epoch_*[2-9]")), *processes)
    os.kill(processes[victim].pid, signal.SIGKILL)
    # The other does not wait for ever, and says what happened.
    survivor = processes[1 - victim]
    assert survivor.wait(timeout=120) == 1, survivor.output.read_text()
    (error,) = [
        line
        for line in survivor.output.read_text().splitlines()
        if line.startswith("error: ")
    ]
    assert "Another worker was lost" in error
    # The one before is kept too.
    *_, backup = sorted(backups.glob("epoch_*[0-9]"))
    done = json.loads((backup / "state.json").read_text())["epoch"]
    assert 2 <= done <= 6 and not (out / "metrics.json").exists()

    processes = start_workers(*arguments)
    for process in processes:
        code = process.wait(timeout=400)
        said = [p.output.read_text()[-3000:] for p in processes]
        assert code == 0, "\n".join(said)
    # Only what was left was trained.
    seen = processes[0].output.read_text()
    learned = seen.split("fixed mask:")[0]
    assert f" {done + 1}/7 " in learned and f" {done}/7 " not in learned
    # One worker reports.
    assert "See " in seen
    assert "See " not in processes[1].output.read_text()

    got = check(out, "MultiWorkerMirroredStrategy", "tensorflow")
    expected = json.loads((mirrored / "history.json").read_text())
    for name in ("learned", "fixed"):
        assert set(got[name]) == set(expected[name])
        for key, values in expected[name].items():
            np.testing.assert_allclose(
                got[name][key], values, rtol=1e-3, err_msg=f"{name} {key}"
            )


@pytest.mark.slow
def test_jax_on_a_data_set_without_a_test_split(tmp_path):
    rng = np.random.default_rng(0)

    def split(count, letter):
        for i in range(count):
            for number in range(2):
                name = f"{letter}{i}"
                image = rng.uniform(size=(16, 18, 1)).astype("float32")
                yield (
                    f"{name}_{number}",
                    {"image": image, "volume": name, "patient": f"p{name}"},
                )

    features = {
        "image": tfds.features.Tensor(
            shape=(None, None, 1), dtype=np.float32, encoding="bytes"
        ),
        "volume": tfds.features.Text(),
        "patient": tfds.features.Text(),
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        name="some_volumes",
        version="1.0.0",
        data_dir=tmp_path / "data",
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            "train": list(split(4, "a")),
            "validation": list(split(4, "b")),
        },
    )
    result = run(
        *command("some_volumes", tmp_path / "run"),
        *("--data-dir", tmp_path / "data"),
        *("--distribute=jax", "--logical-devices", "2"),
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "it has no test split, so its validation split was divided by " in (
        result.stdout
    )
    assert "test 2 volumes (4 slices)" in result.stdout
    check(tmp_path / "run", "keras.distribution.DataParallel", "jax")


# tests/cli/test_train.py has the same within this process.
@pytest.mark.slow
def test_a_worker_without_tf_config(data, tmp_path):
    arguments = command(data, tmp_path / "run", "--distribute", "multiworker")
    env = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    result = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=env,
    )
    assert result.returncode == 2
    (error,) = [
        line
        for line in result.stderr.splitlines()
        if line.startswith("error: ")
    ]
    assert "TF_CONFIG" in error and not (tmp_path / "run").exists()
