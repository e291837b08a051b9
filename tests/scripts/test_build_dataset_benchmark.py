import json
import pathlib
import subprocess
import sys

import pytest

from loupe_tf import datasets

SCRIPT = (
    pathlib.Path(__file__).parents[2] / "scripts/benchmarks/build_dataset.py"
)


@pytest.fixture(scope="module")
def benchmark(load_script):
    return load_script("benchmarks/build_dataset.py")


@pytest.mark.slow
def test_quick_run_prints_ratios_and_writes_them(tmp_path):
    path = tmp_path / "out.json"
    (tmp_path / "here").mkdir()
    command = [sys.executable, SCRIPT, "--quick", "--json", path]
    command += ["--folder", tmp_path / "here"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    results = json.loads(path.read_text())["results"]
    assert len(results) == 6
    for row in results:
        assert row["what"] in run.stdout
        assert f" {row['ratio']:.3f} " in run.stdout
    for row in results[2:]:
        assert len(row["seconds"]["build"]) == len(row["seconds"]["loop"]) == 2
    for row in results[:2]:
        assert set(row["peaks"]) == {"8", "64"}
        for peak in row["peaks"].values():
            assert 50 < peak["before"] <= peak["peak"]
    assert not list((tmp_path / "here").iterdir())


def test_limits(benchmark):
    seconds = {"build": [2.0, 4.0, 1.0], "loop": [1.0, 1.0, 1.0]}
    row = benchmark.speed_row("config", "tfrecord", seconds, 10)
    assert (row["ratio"], row["held"]) == (0.5, True)
    assert row["slices_per_second"] == {"build": 5.0, "loop": 10.0}
    seconds["loop"] = [0.9, 0.9, 0.9]
    row = benchmark.speed_row("config", "tfrecord", seconds, 10)
    assert not row["held"] and "NO" in benchmark.table([row])
    for many, held in ((109.0, True), (112.0, False), (85.0, False)):
        peaks = {8: {"peak": 100.0, "before": 9}, 64: {"peak": many}}
        peaks[64]["before"] = 9
        row = benchmark.memory_row("config", peaks)
        assert row["held"] == held
        assert f"64 volumes {many:.0f}" in benchmark.table([row])


def test_loop_and_build_write_as_many_bytes(benchmark, tmp_path):
    source = tmp_path / "source"
    counts = {"singlecoil_train": 1}
    size = {"size": (64, 48), "recon_size": (40, 40)}
    datasets.write_fastmri_dataset(source, counts, slices=3, **size)
    for config in benchmark.CONFIGS:
        data, arrays = tmp_path / "data" / config, tmp_path / config
        benchmark.build(config, source, data, "tfrecord")
        benchmark.loop(config, source, arrays)
        (shard,) = data.glob("*/*/*/*-of-*")
        written = sum(p.stat().st_size for p in arrays.glob("*.npy"))
        assert 0 < shard.stat().st_size - written < 3000


def test_help_teaches_and_nonsense_is_refused(benchmark, capsys):
    with pytest.raises(SystemExit, match="0"):
        benchmark.main(["--help"])
    assert "at least 0.5 of the loop's" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        benchmark.main(["--rounds", "0"])
    message = "--rounds must be at least 1, not 0"
    assert message in capsys.readouterr().err
