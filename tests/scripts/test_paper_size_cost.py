import os
import pathlib
import subprocess
import sys

import pytest

import loupe_tf
from experiments.presets.four_s import PRESETS

SCRIPT = (
    pathlib.Path(__file__).parents[2] / "scripts/benchmarks/paper_size_cost.py"
)
SMALL = ("--size", "16", "--filters", "4", "--depth", "2")


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("benchmarks/paper_size_cost.py")


def test_multiply_adds_of_a_small_network(script):
    network = loupe_tf.models.unet((8, 8, 2), filters=3, depth=2)
    # Channels in and out of each convolution, at 8×8 and at 4×4.
    fine, coarse = [(2, 3), (3, 3), (9, 3), (3, 3)], [(3, 6), (6, 6)]
    expected = 64 * 9 * sum(a * b for a, b in fine)
    expected += 16 * 9 * sum(a * b for a, b in coarse)
    expected += 64 * 3  # The last one is 1×1.
    assert script.count_multiply_adds(network) == expected


def test_cost_of_a_preset(script):
    settings = {
        **PRESETS["paper320"],
        "epochs": 3,
        "batch_size": 2,
    }
    found = script.cost(settings, (10, 5, 4), multiply_adds=7)
    assert found["predict"] == 14 and found["step"] == 3 * 14 * 2
    # Three runs of two rounds; the test images four times.
    assert found["runs"] == 3 and found["epochs"] == 18
    epoch = 14 * (3 * 10 + 5)
    assert found["all"] == 3 * (6 * epoch + 4 * 14 * 4)
    # Both protocols of six slopes, and 4S, at two accelerations.
    assert script.count_runs(PRESETS["paper"]) == 26


def test_minutes_at_a_share_of_the_peak(script):
    rows = script.minutes(156e12 * 60, [1.0, 0.5], writing=60)
    assert rows[0] == ("A100", "float32 (TF32)", [2.0, 3.0])


def test_prints_a_table(script, capsys):
    assert script.main([*SMALL, "--slices", "8", "--share", "0.25"]) == 0
    text = capsys.readouterr().out
    assert "16×16, 4 filters, depth 2" in text
    assert "8 slices in batches of 16" in text
    assert "H100 bfloat16       989 TFLOP/s" in text


@pytest.mark.slow
def test_xla_counts_as_many():
    pytest.importorskip("jax")
    result = subprocess.run(
        [sys.executable, SCRIPT, "--size", "64", "--filters", "16"],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert result.returncode == 0, result.stderr
    (line,) = (x for x in result.stdout.split("\n") if "as XLA counts" in x)
    assert float(line.split()[-3]) == pytest.approx(1, abs=0.15), line


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--share", "0"], "--share"),
        (["--write", "0"], "--write"),
        (["--size", "0"], "--size"),
        (["--slices", "1", "2"], "--slices"),
    ],
)
def test_nonsense_is_refused(script, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        script.main(arguments)
    assert message in capsys.readouterr().err
