import importlib.util
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

SCRIPT = (
    pathlib.Path(__file__).parents[2] / "scripts/benchmarks/read_dataset.py"
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="measures TensorFlow"
)


@pytest.fixture(scope="module")
def read_dataset(load_script):
    return load_script("benchmarks/read_dataset.py")


def measured(first, later):
    return {"first": first, "later": later, "peak": 99.0, "peak_worker": 7.0}


def test_medians_are_held_against_the_limits(read_dataset):
    # Rounds of very different speed: it is the ratio within one that counts.
    results = {
        "pipeline": [
            measured(60.0, [90.0, 110.0, 130.0]),
            measured(600.0, [900.0, 900.0, 900.0]),
            measured(6.0, [9.0, 9.0, 9.0]),
        ],
        "fastmri": [
            measured(10.0, [10.0, 10.0, 99.0]),
            measured(120.0, [100.0, 100.0, 100.0]),
            measured(1.0, [1.0, 1.0, 1.0]),
        ],
    }
    results["pipeline_cached"] = results["pipeline"]
    results["fastmri_2_workers"] = results["pipeline"]
    results["pipeline_unchecked"] = [
        measured(1.25 * m["first"], m["later"]) for m in results["pipeline"]
    ]
    rows = read_dataset.compare(results)
    ratios = [row["ratio"] for row in rows]
    assert ratios == pytest.approx([6, 9, 6, 9, 1, 1, 0.8, 1])
    limits = [row.get("limit") for row in rows]
    assert limits == [10, None, None, 10, *[None] * 4]
    held = [row.get("held") for row in rows]
    assert held == [False, None, None, False, *[None] * 4]
    assert rows[0]["quartiles"] == pytest.approx([5.5, 6])
    text = read_dataset.table(read_dataset.FULL, results, rows)
    assert "16 volumes of 36 slices, k-space 640×368, images 320×320" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "first epoch, pipeline / fastmri 6.0 5.5-6.0 10 NO" in lines
    cost = "first epoch, pipeline / pipeline_unchecked"
    assert f"{cost} 0.80 0.80-0.80 - -" in lines
    over = "later epochs, pipeline_cached / fastmri"
    assert f"{over} 9.0 9.0-10.0 10 NO" in lines
    assert "pipeline 60 (33-330) 110 (60-505) 99" in lines
    assert "fastmri_2_workers 60 (33-330) 110 (60-505) 99 + 7 a worker" in lines


def test_without_fastmri_it_says_how_to_install_it(
    read_dataset, monkeypatch, capsys
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert read_dataset.main(["--quick"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: fastmri and torch not found")
    assert "pip install --no-deps fastmri\n" in message


def test_help_and_nonsense(read_dataset, capsys):
    with pytest.raises(SystemExit, match="0"):
        read_dataset.main(["--help"])
    assert "10 times fastMRI's slices per second" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        read_dataset.main(["--volumes", "0"])
    assert "--volumes must be at least 1, not 0" in capsys.readouterr().err


@pytest.mark.parametrize("reader", ["pipeline", "pipeline_cached"])
def test_the_pipeline_reads_what_was_made(read_dataset, tmp_path, reader):
    prepared = read_dataset.make_data(tmp_path, read_dataset.QUICK)
    result = read_dataset.measure(reader, None, prepared)
    assert result["slices"] == 2 * 3
    assert len(result["later"]) == read_dataset.EPOCHS
    assert np.min([result["first"], *result["later"]]) > 0
    assert result["peak"] > 50


def test_what_is_held_against_it_checks_nothing(read_dataset, monkeypatch):
    from loupe_tf.datasets import tfrecords
    from loupe_tf.datasets.feeding import split_images

    # To be restored after the test.
    monkeypatch.setattr(tfrecords, "_check", tfrecords._check)
    monkeypatch.setattr(
        split_images.SplitImages,
        "_check_finite",
        split_images.SplitImages._check_finite,
    )
    with pytest.raises(ValueError, match="record 3"):
        tfrecords._check("file", 3, "data", b"data", b"0000")
    read_dataset.check_nothing()
    tfrecords._check("file", 3, "data", b"data", b"0000")
    split_images.SplitImages._check_finite(None, np.full(3, np.nan), 0)


@pytest.mark.slow
def test_quick_run(tmp_path):
    pytest.importorskip("fastmri", reason="needs fastMRI's package")
    path = tmp_path / "out.json"
    command = [sys.executable, SCRIPT, "--quick", "--rounds", "1"]
    run = subprocess.run(
        [*command, "--json", path], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(path.read_text())
    for row in report["ratios"]:
        assert f"  {row['what']} " in run.stdout
        digits = 2 if row["ratio"] < 2 else 1
        assert f" {row['ratio']:.{digits}f} " in run.stdout
    for results in report["measured"].values():
        assert [result["slices"] for result in results] == [6]
