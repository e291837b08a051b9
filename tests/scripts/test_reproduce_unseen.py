import json

import numpy as np
import pytest

import loupe_tf
from experiments.presets import unseen


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_unseen.py")


@pytest.fixture
def small(script, monkeypatch):
    """Networks with few filters, for images of 16×18 pixels."""
    smoke = {"filters": 2, "depth": 1, "sizes": {1: (2, 2, 2)}}
    others = {"calibration": 2, "epochs": 1, "iterations": 1}
    smoke = unseen.PRESETS["smoke"] | smoke | others
    monkeypatch.setitem(unseen.PRESETS, "smoke", smoke)
    return script


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *others,
    ]


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    small, folder, capsys, monkeypatch
):
    np.save(folder / "other.npy", np.ones((2, 16, 16), "float32").cumsum(1))
    others = f"--methods sense grappa varnet --others T1={folder / 'other.npy'}"
    arguments = _arguments(folder, *others.split())
    assert small.main(arguments) == 0
    said = capsys.readouterr().out
    assert "VarNet" in said and "oversampled" in said
    assert "GRAPPA on as trained: Invalid value" in said
    records = json.loads((folder / "out" / "results.json").read_text())["runs"]
    tests = {r["method"]: set(r["test"]) for r in records}
    assert tests["grappa"] == set()
    assert tests["varnet"] == tests["sense"] and "T1" in tests["sense"]
    assert all(r["lesion"] for r in records if r["method"] != "grappa")
    for name in ("unseen", "lesion"):
        picture = (folder / "out" / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)
    assert small.main(arguments) == 0
    assert small.main(["--report", "--out", str(folder / "out")]) == 0
    assert "VarNet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--methods", "magic"], "magic"),
        (["--others", "T1"], "--others: expected NAME=DATA"),
        (["--acceleration", "1"], "expected R > 1"),
        (["--coils", "1"], "expected 2 or more"),
    ],
)
def test_refuses_wrong_options(script, folder, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        script.main(_arguments(folder, *arguments))
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--epochs", "--batch-size"])
def test_refuses_counts_below_one(script, folder, capsys, option):
    with pytest.raises(SystemExit) as stop:
        script.main(_arguments(folder, option, "0"))
    assert stop.value.code == 2
    assert f"{option}: expected 1 or more" in capsys.readouterr().err


def test_volumes_of_other_data_are_those_of_the_one_patient(script):
    """Records name the patients of the test's own volumes alone."""
    record = {
        "test": {"as trained": {"a/1": {}}, "T1": {"a/3": {}}},
        "patients": {"a/1": "a"},
    }
    found = {r["scan"]: r["patients"] for r in script.tests_of([record])}
    assert found == {"as trained": {"a/1": "a"}, "T1": {"a/3": "a"}}
    # With two patients, nobody knows whose it is.
    record["patients"] = {"a/1": "a", "b/1": "b"}
    for each in script.tests_of([record, {"test": {}}]):
        assert each["patients"] == record["patients"]
