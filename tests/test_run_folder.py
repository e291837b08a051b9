import dataclasses
import json
import pathlib

import filelock
import keras
import numpy as np
import pytest

from loupe_tf.reading import BadFileError
from loupe_tf.run_folder import (
    RunFolder,
    checksum,
    folder_lock,
    load_weights,
    read_json,
    read_record,
    save_weights,
    write_record,
)

RECORD = {"best": 0.1 + 0.2, "weights": None, "history": {"loss": [1e-9]}}
KEYS = {"best": float, "history": dict}


def test_a_record_is_found_again(tmp_path):
    path = tmp_path / "new" / "record.json"
    write_record(path, RECORD)
    assert read_record(path, KEYS, "Delete it") == RECORD
    # By others too.
    assert json.loads(path.read_text())["best"] == RECORD["best"]


def test_every_damaged_byte_of_a_record_is_found(tmp_path):
    path = tmp_path / "record.json"
    write_record(path, RECORD)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + b"7" + content[at + 1 :])
        try:
            found = read_record(path, KEYS, "Delete it")
            # It was the name of the checksum itself, or a space.
            assert {key: found[key] for key in RECORD} == RECORD
        except BadFileError as error:
            assert str(error).endswith("Delete it")
            assert "record.json" in str(error)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"best": 1.0}', None],
)
def test_what_is_no_record_is_named(tmp_path, content):
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadFileError, match=r"record.json.*\. Delete it$"):
        read_record(path, KEYS, "Delete it")


def test_json_of_another_kind(tmp_path):
    path = tmp_path / "seconds.json"
    path.write_text("12")
    assert read_json(path, "Delete it", (int, float)) == 12
    with pytest.raises(BadFileError, match="seconds.json.*holds a int.*Delete"):
        read_json(path, "Delete it")


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(30)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_weights_are_those_that_keras_saves(tmp_path, model):
    model.save_weights(tmp_path / "theirs.weights.h5")
    save_weights(model, tmp_path / "new" / "ours.weights.h5")
    saved = model.get_weights()
    for path in tmp_path.rglob("*.h5"):
        model.set_weights([0 * x for x in saved])
        load_weights(model, path, checksum(path), "Delete it")
        for a, b in zip(model.get_weights(), saved):
            np.testing.assert_array_equal(a, b)


def test_damaged_weights_are_named(tmp_path, model):
    path = tmp_path / "a.weights.h5"
    save_weights(model, path)
    crc, content = checksum(path), path.read_bytes()
    at = content.index(np.asarray(model.get_weights()[0]).tobytes()[:16])
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with pytest.raises(BadFileError, match="a.weights.h5.*differs.*Delete it$"):
        load_weights(model, path, crc, "Delete it")
    path.write_bytes(content[:900])
    with pytest.raises(BadFileError, match="a.weights.h5.*Delete it$"):
        load_weights(model, path, None, "Delete it")
    path.unlink()
    with pytest.raises(BadFileError, match="a.weights.h5.*Delete it$"):
        load_weights(model, path, crc, "Delete it")


def test_a_full_disk_leaves_the_weights_that_were_there(
    tmp_path, model, full_disk
):
    path = tmp_path / "a.weights.h5"
    save_weights(model, path)
    content = path.read_bytes()
    full_disk(2000, at=0).on_epoch_end(0)
    with pytest.raises(OSError, match="File too large.*a.weights.h5"):
        save_weights(model, path)
    assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_belongs_to_one_process(tmp_path):
    folder = tmp_path / "new"
    lock = folder_lock(folder)
    again = folder_lock(str(folder))
    # An object of its own locks as another process does.
    other = filelock.FileLock(folder / ".lock", timeout=0)
    with pytest.raises(filelock.Timeout):
        other.acquire()
    again.release()
    with pytest.raises(filelock.Timeout):
        other.acquire()
    del lock, again
    with other:
        with pytest.raises(ValueError, match=f"{folder}, in which another one"):
            folder_lock(folder)
    with folder_lock(folder):
        with pytest.raises(filelock.Timeout):
            other.acquire()
    other.acquire()


def test_where_nothing_can_be_written_nothing_is_locked(tmp_path, monkeypatch):
    def refuse(*arguments, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with folder_lock(pathlib.Path(tmp_path)):
        pass


def test_belongs_to_one_run(tmp_path):
    settings = {"acceleration": 4.0, "epochs": [2, 1]}
    folder = RunFolder(tmp_path / "a" / "run")
    folder.check_settings(settings)
    folder.write_json("metrics.json", {})
    assert json.loads((folder / "settings.json").read_text()) == settings
    folder.check_settings(settings)
    with pytest.raises(ValueError, match="--out.*'acceleration': 8.0.*4.0"):
        folder.check_settings({**settings, "acceleration": 8.0})
    assert json.loads((folder / "settings.json").read_text()) == settings


def test_a_call_that_failed_claims_no_folder(tmp_path):
    """Not even when it had begun: the corrected call is accepted."""
    folder = RunFolder(tmp_path / "run")
    folder.check_settings({"leading": None})
    assert not folder.path.exists()
    with pytest.raises(ValueError, match="wrong"):
        with folder.stopwatch("learned"):
            raise ValueError("wrong")
    folder = RunFolder(tmp_path / "run")
    folder.check_settings({"leading": "coils"})
    folder.claim()
    (folder / "volume.npy").touch()
    assert json.loads((folder / "settings.json").read_text()) == {
        "leading": "coils"
    }
    with pytest.raises(ValueError, match="--out"):
        RunFolder(tmp_path / "run").check_settings({"leading": None})


def test_another_worker_checks_and_writes_nothing(tmp_path):
    other = RunFolder(tmp_path / "run", writes=False)
    other.check_settings({"seed": 0})
    with other.stopwatch("learned") as seconds:
        pass
    assert seconds() >= 0 and not other.path.exists()
    folder = RunFolder(tmp_path / "run")
    folder.check_settings({"seed": 0})
    folder.write_json("metrics.json", {})
    with pytest.raises(ValueError, match="'seed': 1"):
        other.check_settings({"seed": 1})


@pytest.mark.parametrize(
    "name, remedy",
    [
        ("settings.json", "Delete it if this command"),
        ("seconds_learned.json", "Delete it: no more than the time"),
        ("runs/a.json", "Delete it to do that run again"),
    ],
)
@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_damaged_files_are_named_and_say_what_to_do(
    tmp_path, name, remedy, content
):
    folder = RunFolder(tmp_path)
    folder.check_settings({"seed": 0})
    folder.write_json("seconds_learned.json", 100.0)
    folder.write_json("runs/a.json", {})
    (tmp_path / name).write_text(content)
    with pytest.raises(BadFileError, match=f"{tmp_path / name}.*{remedy}"):
        RunFolder(tmp_path).check_settings({"seed": 0})
        folder.records()
        with folder.stopwatch("learned"):
            pass


def test_another_process_in_the_folder_is_named(tmp_path):
    with filelock.FileLock(tmp_path / ".lock"):
        folder = RunFolder(tmp_path)
        folder.check_settings({"seed": 0})
        with pytest.raises(ValueError, match=f"{tmp_path}, in which another"):
            folder.write_json("metrics.json", {})
        reader = RunFolder(tmp_path, writes=False)
        reader.check_settings({"seed": 0})
        reader.claim()
    folder.write_json("metrics.json", {})
    # This process may come again.
    again = RunFolder(tmp_path)
    again.check_settings({"seed": 0})
    again.write_json("metrics.json", {})


def test_stopwatch_goes_on(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_json("seconds_learned.json", 100.0)
    with pytest.raises(KeyboardInterrupt):
        with folder.stopwatch("learned"):
            raise KeyboardInterrupt
    with folder.stopwatch("learned") as seconds:
        pass
    saved = json.loads((folder / "seconds_learned.json").read_text())
    assert 100 < saved < 110 and seconds() == saved


@dataclasses.dataclass(frozen=True)
class Named:
    name: str


def test_a_grid_repeats_no_run(tmp_path):
    folder, done = RunFolder(tmp_path), []

    def do(run):
        backup = tmp_path / "unfinished" / run.name
        backup.mkdir(parents=True, exist_ok=True)
        if run.name == "b" and len(done) == 1:
            raise KeyboardInterrupt
        done.append(run.name)
        return {"name": run.name}

    with pytest.raises(KeyboardInterrupt):
        folder.complete([Named("a"), Named("b")], do)
    assert folder.records() == [{"name": "a"}]
    # It is gone when it is not needed any more, and not before.
    kept = [path.name for path in (tmp_path / "unfinished").iterdir()]
    assert kept == ["b"]
    done.append("stopped")
    records = folder.complete([Named("c"), Named("b")], do)
    assert done == ["a", "stopped", "c", "b"]
    assert [record["name"] for record in records] == ["a", "b", "c"]
    assert not any((tmp_path / "unfinished").iterdir())
