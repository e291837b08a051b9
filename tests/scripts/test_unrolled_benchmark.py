import json
import pathlib
import subprocess
import sys

import keras
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/benchmarks/unrolled.py"

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="chooses its own backends"
)


@pytest.fixture(scope="module")
def unrolled(load_script):
    return load_script("benchmarks/unrolled.py")


@pytest.mark.slow
def test_quick_run(tmp_path):
    pytest.importorskip("fastmri")
    path = tmp_path / "out.json"
    command = [sys.executable, SCRIPT, "--quick", "--rounds", "2"]
    run = subprocess.run(
        [*command, "--networks", "MoDL", "--json", path],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(path.read_text())
    assert len(report["ratios"]) == 4
    for times in report["seconds"].values():
        assert {len(each) for each in times.values()} == {2}
    assert [
        (row["backend"], row["iterations"], row["checkpointing"])
        for row in report["costs"]
    ] == [
        (backend, iterations, checkpointing)
        for backend in ("tensorflow", "jax")
        for iterations in (1, 2)
        for checkpointing in (False, True)
    ]
    for row in report["costs"]:
        assert min(row["seconds"]) > 0 and row["memory"] > 0


def test_the_better_backend_is_held_against_the_limit(unrolled):
    seconds = {
        "predict": {
            "tensorflow": [2.0, 2.0, 9.0],
            "jax": [0.5, 1.0, 1.0],
            "torch": [1.0, 2.0, 1.0],
        },
        "train": {"tensorflow": [1.0], "jax": [3.0], "torch": [0.5]},
    }
    rows = unrolled.compare(seconds)
    assert [(row["step"], row["backend"], row["ratio"]) for row in rows] == [
        ("predict", "tensorflow", 2.0),
        ("predict", "jax", 0.5),
        ("train", "tensorflow", 2.0),
        ("train", "jax", 6.0),
    ]
    assert [row.get("held") for row in rows] == [None, True, False, None]
    text = unrolled.table_of_ratios(rows)
    assert "  predict, jax " in text and "1.00  yes" in text
    assert "1.00  NO" in text


def test_costs_are_medians_and_leave_the_graph_out(unrolled):
    row = {
        "network": "MoDL",
        "backend": "jax",
        "iterations": 4,
        "checkpointing": True,
        "seconds": [1.0, 9.0, 2.0],
        "memory": 112.4,
        "memory of graph": 100.0,
        "weights": 77,
    }
    last = unrolled.table_of_costs([row]).splitlines()[-1]
    assert last.split() == ["MoDL", "jax", "4", "yes", "77", "2.000", "12"]


def test_nonsense_is_refused(unrolled, capsys):
    with pytest.raises(SystemExit, match="2"):
        unrolled.main(["--coils", "0"])
    assert "--coils must be at least 1" in capsys.readouterr().err
