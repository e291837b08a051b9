import json
import pathlib
import subprocess
import sys

import keras
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/benchmarks/replicas.py"

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="measures TensorFlow"
)


@pytest.fixture(scope="module")
def replicas(load_script):
    return load_script("benchmarks/replicas.py")


@pytest.mark.slow
def test_a_toy_run_holds(tmp_path):
    out = tmp_path / "out.json"
    toy = "--size 16 --batch 4 --filters 2 --depth 1 --steps 2 --rounds 2"
    run = subprocess.run(
        [sys.executable, SCRIPT, *toy.split(), "--json", out],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "instance" in run.stdout and " NO" not in run.stdout
    rows = json.loads(out.read_text())["rows"]
    assert rows["instance"]["held"] and rows["learned"]["held"]


def test_summary(replicas):
    losses = [[[1.0, 2.0], [1.0, 2.0]], [[3.0, 4.0], [3.0, 4.5]]]
    results = {"instance": {"losses": losses, "seconds": [[1, 2], [2, 2]]}}
    results["batch"] = {"losses": losses}
    rows = replicas.summarize(results)
    assert (
        rows["instance"]["difference"] == 0.5 and not rows["instance"]["held"]
    )
    assert rows["instance"]["ratio"] == [1.25, 1.5, 1.75]
    assert "held" not in rows["batch"]
    line = replicas.table(rows).splitlines()[2].split()
    assert line == ["instance", "5.0e-01", "NO", "1.50", "1.25-1.75"]


def test_an_odd_batch_is_refused(replicas, capsys):
    with pytest.raises(SystemExit, match="2"):
        replicas.parse_arguments(["--batch", "3"])
    assert "must be even, not 3" in capsys.readouterr().err
