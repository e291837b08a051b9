import pytest


@pytest.mark.slow
def test_small_run(load_script, capsys):
    script = load_script("benchmarks/sparkling.py")
    assert script.main(["--quick"]) == 0
    grid, pairs = capsys.readouterr().out.splitlines()[-2:]
    assert grid.startswith("2 shots × 64 samples, grid: ")
    assert pairs.startswith("2 shots × 64 samples, pairs: ")
    assert 0 < float(pairs.split("distance ")[1].split(",")[0]) < 1
