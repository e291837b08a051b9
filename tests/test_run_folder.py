import dataclasses
import json
import pathlib

import filelock
import pytest

from loupe_tf.reading import BadFileError
from loupe_tf.run_folder import RunFolder, folder_lock


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
    with pytest.raises(ValueError, match="`out`.*acceleration=8.0.*=4.0"):
        folder.check_settings({**settings, "acceleration": 8.0})
    assert json.loads((folder / "settings.json").read_text()) == settings


def test_files_are_told_apart_by_a_few_digits(tmp_path):
    folder = RunFolder(tmp_path)
    folder.check_settings({"mask": 64 * "a"})
    folder.write_json("metrics.json", {})
    with pytest.raises(ValueError, match="mask=<.*SHA-256 bbbbbbbb…>.*aaaa…"):
        folder.check_settings({"mask": 64 * "b"})


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
    with pytest.raises(ValueError, match="`out`"):
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
    with pytest.raises(ValueError, match="seed=1"):
        other.check_settings({"seed": 1})


@pytest.mark.parametrize(
    "name, remedy",
    [
        ("settings.json", "Delete it if the run"),
        ("seconds_learned.json", "Delete it: only the measured time"),
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


SETTINGS_0_1_0 = {"data": "mni_brain/96", "acceleration": 4.0, "lines": None}


@pytest.fixture
def old(tmp_path):
    """A folder as version 0.1.0 wrote it: no checksums, no lock."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS_0_1_0))
    (tmp_path / "runs" / "a.json").write_text('{"psnr": 31.5}')
    (tmp_path / "seconds_learned.json").write_text("12.5")
    return RunFolder(tmp_path)


def test_a_folder_of_version_0_1_0_goes_on(old):
    # What is off by default may be new.
    old.check_settings({**SETTINGS_0_1_0, "dropout": None})
    with old.stopwatch("learned") as seconds:
        pass
    assert seconds() > 12.5
    records = old.complete([Named("a"), Named("b")], lambda run: {"psnr": 32})
    assert records == [{"psnr": 31.5}, {"psnr": 32}]


def test_a_folder_of_version_0_1_0_that_tells_too_little(old):
    match = r"`out`.*another version, which did not record \['network'\]"
    with pytest.raises(ValueError, match=match):
        old.check_settings({**SETTINGS_0_1_0, "network": "unet"})
    with pytest.raises(ValueError, match="8.0.*Choose another folder"):
        old.check_settings({**SETTINGS_0_1_0, "acceleration": 8.0})


def test_what_a_killed_process_leaves_is_no_result(tmp_path):
    folder = RunFolder(tmp_path)
    folder.check_settings({"seed": 0})
    folder.claim()
    stray = tmp_path / ".metrics.json.1_a2b3cd.aside"
    stray.mkdir()
    (stray / "metrics.json").touch()
    del folder
    with RunFolder(tmp_path) as folder:
        folder.check_settings({"seed": 1})
        folder.claim()
        assert not stray.exists()
        other = filelock.FileLock(tmp_path / ".lock", timeout=0)
        with pytest.raises(filelock.Timeout):
            other.acquire()
    with other:  # The folder is free, though its object is still there.
        assert folder.records() == []


def test_a_damaged_record_of_a_grid_is_found(tmp_path):
    folder = RunFolder(tmp_path)
    folder.complete([Named("a")], lambda run: {"psnr": {2: 31.5, 10: 32.5}})
    assert folder.records() == [{"psnr": {"2": 31.5, "10": 32.5}}]
    path = tmp_path / "runs" / "a.json"
    path.write_text(path.read_text().replace("31.5", "37.5"))
    with pytest.raises(BadFileError, match="a.json.*checksum.*that run again"):
        folder.records()


def _square(run):
    return {"value": int(run.name) ** 2, "trace": [1, 2]}


def test_packed_records_count_as_done(tmp_path):
    folder = RunFolder(tmp_path)
    folder.complete([Named("3"), Named("1")], _square)
    before = folder.records()
    folder.pack()
    assert [path.name for path in tmp_path.glob("runs*")] == ["runs.jsonl"]
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 2
    assert folder.records() == before
    done = []
    again = RunFolder(tmp_path)
    again.complete(
        [Named("1"), Named("2")], lambda run: done.append(run) or _square(run)
    )
    assert [run.name for run in done] == ["2"]
    assert [record["value"] for record in again.records()] == [1, 4, 9]
    again.pack(lambda record: {"value": record["value"]})
    assert again.records() == [{"value": 1}, {"value": 4}, {"value": 9}]


def test_a_damaged_line_of_packed_records_is_named(tmp_path):
    folder = RunFolder(tmp_path)
    folder.complete([Named("1"), Named("2")], _square)
    folder.pack()
    path = tmp_path / "runs.jsonl"
    whole = path.read_text()
    path.write_text(whole.replace('"value": 4', '"value": 5'))
    with pytest.raises(BadFileError, match=f"{path}.*line 2.*Restore it"):
        folder.records()
    path.write_text(whole[:-20])
    with pytest.raises(BadFileError, match=f"{path}.*line 2"):
        folder.records()
