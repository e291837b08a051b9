import json

import pytest


@pytest.mark.slow
def test_it_prints_a_ratio_and_writes_it(load_script, tmp_path, capsys):
    script = load_script("benchmarks/hold_out.py")
    path = tmp_path / "out.json"
    options = ["--size", "16", "--filters", "2", "--iterations", "1"]
    options += ["--steps", "2", "--rounds", "2", "--json", str(path)]
    assert script.main(options) == 0
    found = json.loads(path.read_text())
    assert 0 < found["ratio"] < 100 and len(found["seconds"]["hold-out"]) == 2
    assert f"ratio: {found['ratio']:.3f}" in capsys.readouterr().out
