import dataclasses
import json

import filelock
import numpy as np
import pytest

from loupe_tf.distribution import ReplicaError
from loupe_tf.reading import BadFileError
from loupe_tf.runs import (
    RunFolder,
    add_data_options,
    argument_parser,
    environment,
    exit_code,
    provenance,
)


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


def test_argument_parser(capsys):
    parser = argument_parser("What it is.\n\nHow:\n\n    python a.py  # 5 %")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    text = capsys.readouterr().out
    assert "What it is." in text and "    python a.py  # 5 %" in text
    assert "%%" not in text


@pytest.mark.parametrize("default", [None, "mni_brain/64"])
def test_data_options(default, capsys):
    parser = argument_parser("What it is.")
    add_data_options(parser, default)
    given = vars(parser.parse_args([]))
    assert given == {"data": default, "data_dir": None}
    given = vars(parser.parse_args(["--data", "a/b", "--data-dir", "c"]))
    assert given == {"data": "a/b", "data_dir": "c"}
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"(slices, H, W){f' ({default})' if default else ''} --data" in text


def test_environment():
    facts = environment()
    assert "Keras" in facts["versions"] and "cores" in facts["hardware"]
    assert "accelerators" not in facts["hardware"]
    assert f", pytest {pytest.__version__}" in environment("pytest")["versions"]


def test_provenance():
    class Part:
        images = np.zeros((2, 12, 14, 1))

        def __str__(self):
            return "1 volumes (2 slices)"

    facts = provenance({"seed": 0}, "files", {"train": Part(), "test": Part()})
    assert facts["volumes"] == "train 1 volumes (2 slices), " + (
        "test 1 volumes (2 slices)"
    )
    assert facts["image size"] == "12×14" and facts["settings"] == "seed=0"
    assert facts["command"].startswith("python ") and "hardware" in facts


@pytest.mark.parametrize(
    "error, code, printed",
    [
        (None, 0, ""),
        (ValueError("Expected R"), 2, "error: Expected R\n"),
        (FileNotFoundError("gone"), 2, "error: gone\n"),
        (ReplicaError("lost"), 1, "error: lost\n"),
        (KeyboardInterrupt(), 130, "\nStopped. "),
    ],
)
def test_exit_code(error, code, printed, capsys):
    given = []

    def function(*arguments):
        given.extend(arguments)
        if error is not None:
            raise error

    assert exit_code(function, 1, 2) == code
    assert given == [1, 2]
    assert capsys.readouterr().err.startswith(printed)


def test_messages_name_flags(capsys):
    parser = argument_parser("What it is.")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--leading")
    parser.add_argument("--accelerations")
    parser.add_argument("--fov", dest="field_of_view")
    shift = {"action": "store_const", "dest": "shift"}
    parser.add_argument("--shift", const=True, **shift)
    parser.add_argument("--as-is", const=False, **shift)
    parser.parse_args(["a.npy"])

    def function():
        raise ValueError(
            "Invalid value for argument `leading`. Expected 'coils'. "
            "Received: leading=None, shape=(2, 3). With shift=True (--shift) "
            "or shift=False, "
            "leading='slices', field_of_view=(3, 4.5); `files`, "
            "`acceleration`, a.npy leading=coils."
        )

    assert exit_code(function) == 2
    assert capsys.readouterr().err == (
        "error: Invalid value for argument --leading. Expected 'coils'. "
        "Received: no --leading, shape=(2, 3). With --shift or --as-is, "
        "--leading slices, --fov 3 4.5; `files`, --accelerations, a.npy "
        "--leading coils.\n"
    )
    argument_parser("Another.").parse_args([])
    assert exit_code(function) == 2
    assert "`leading`" in capsys.readouterr().err


def test_messages_name_flags_of_commands(capsys):
    parser = argument_parser("What it is.")
    command = parser.add_subparsers().add_parser("show")
    command.add_argument("--lines")
    parser.parse_args(["show"])

    def function():
        raise ValueError("Expected `lines`")

    assert exit_code(function) == 2
    assert capsys.readouterr().err == "error: Expected --lines\n"


def test_exit_code_of_a_mistake_of_ours():
    def function():
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        exit_code(function)
