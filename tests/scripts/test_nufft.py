import json

import keras
import numpy as np
import pytest


@pytest.fixture(scope="module")
def nufft(load_script):
    return load_script("benchmarks/nufft.py")


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="measures TensorFlow and JAX"
)
def test_quick_run(nufft, tmp_path, capsys):
    path = tmp_path / "out.json"
    backend = keras.backend.backend()
    arguments = ["--quick", "--backend", backend, "--json", str(path)]
    assert nufft.main(arguments) == 0
    said = capsys.readouterr().out
    assert "16×16, 196 samples, coils: 2" in said and "6×6×6" in said
    for result in json.loads(path.read_text())["results"]:
        # All that are installed compute the same.
        for name, errors in result["errors"].items():
            assert max(errors.values()) < (0.2 if name == "bart" else 1e-3)
        assert max(result["errors"]["loupe_tf"].values()) < 1e-4


@pytest.mark.parametrize(
    "name", ["torchkbnufft", "sigpy", "finufft", "jax_finufft", "mrinufft"]
)
def test_peers_compute_the_same(nufft, name):
    pytest.importorskip(name)
    if name == "mrinufft":
        pytest.importorskip("finufft")
    if name == "torchkbnufft":
        pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    positions = nufft.curves(100)
    x, y = nufft.draw(rng, 2, 12, 14), nufft.draw(rng, 2, len(positions))
    found = nufft.PEERS[name](positions, x, y, 1e-5)
    forward, adjoint = found["forward"](), found["adjoint"]()
    expected = nufft.nudft(x, positions)
    assert np.abs(forward - expected).max() < 1e-2
    gap = np.vdot(y, forward) - np.vdot(adjoint, x)
    assert abs(gap) < 1e-3 * np.linalg.norm(forward) * np.linalg.norm(y)


def test_settings(nufft):
    def chosen(*arguments):
        return nufft.chosen_settings(nufft.parse_arguments(arguments))

    assert chosen() == nufft.PRESETS
    assert chosen("--quick") == nufft.QUICK
    assert chosen("--coils", "8") == [((320, 320), 30_000, 8)]
    assert chosen("--size", "9", "--axes", "3") == [((9, 9, 9), 30_000, 1)]
    with pytest.raises(SystemExit):
        chosen("--rounds", "0")


def test_table(nufft):
    seconds = {
        "loupe_tf": {o: [0.002, 0.004] for o in nufft.OPERATIONS},
        "finufft": {"forward": [0.001, 0.004]},
    }
    rows = nufft.compare(seconds)
    assert rows[0]["ratio"] == 1.5
    text = nufft.table(
        [
            {
                "setting": ((16, 16), 200, 2),
                "samples": 196,
                "errors": {
                    "loupe_tf": dict.fromkeys(nufft.OPERATIONS, 1e-5),
                    "finufft": {"forward": 2e-5},
                },
                "seconds": seconds,
                "ratios": rows,
            }
        ]
    )
    assert "forward 3.0 ms (error 1.0e-05)" in text
    assert "1.25-1.75    2.0e-05" in text
