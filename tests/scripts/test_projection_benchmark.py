import keras
import pytest


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="chooses its own backend"
)
@pytest.mark.slow
def test_small_run(load_script, capsys):
    script = load_script("benchmarks/projection.py")
    assert script.main(["--quick"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("2 shots × 32 samples, 5 iterations: fastest")
    assert float(last.split(", ")[-1].split()[0]) <= 0
