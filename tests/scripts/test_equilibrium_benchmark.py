import keras
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="chooses its own backend"
)


@pytest.mark.slow
def test_small_run(load_script, capsys):
    script = load_script("benchmarks/equilibrium.py")
    arguments = "--size 16 --filters 2 --iterations 3 --methods exact"
    assert script.main(arguments.split()) == 0
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last[:2] == ["exact", "3"] and float(last[2]) > 0


def test_model_is_the_same_step(load_script):
    """The implicit and the unrolled model have equal weights to train."""
    script = load_script("benchmarks/equilibrium.py")
    shapes = [
        [w.shape for w in script.build(method, 2, 8, 2).trainable_weights]
        for method in ("unrolled", "phantom")
    ]
    assert shapes[0] == shapes[1]
