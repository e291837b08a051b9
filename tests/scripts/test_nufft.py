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
    assert "16×16, 196 samples, coils: 2" in capsys.readouterr().out
    (result,) = json.loads(path.read_text())["results"]
    # All that are installed compute the same.
    assert max(result["errors"].values()) < 1e-3
    assert result["errors"]["loupe_tf"] < 3e-5


@pytest.mark.parametrize("name", ["torchkbnufft", "sigpy", "finufft"])
def test_peers_compute_the_same(nufft, name):
    pytest.importorskip(name)
    if name == "torchkbnufft":
        pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    positions = nufft.spokes(100)
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
    assert chosen("--coils", "8") == [(320, 30_000, 8)]
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
                "setting": (16, 200, 2),
                "samples": 196,
                "errors": {"loupe_tf": 1e-5},
                "seconds": seconds,
                "ratios": rows,
            }
        ]
    )
    assert "forward 3.0 ms" in text and "1.25-1.75" in text
