import json

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a script of TensorFlow"
)


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("benchmarks/implicit_gradients.py")


def test_error_and_angle(script):
    exact = np.array([3.0, 4.0])
    assert script.compare(2 * exact, exact) == {"error": 1.0, "cosine": 1.0}
    found = script.compare(np.array([4.0, -3.0]), exact)
    np.testing.assert_allclose(found["cosine"], 0, atol=1e-12)
    np.testing.assert_allclose(found["error"], np.sqrt(2))


def test_gradient_is_of_the_step_and_leaves_the_weights(script):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    kernel, bias = (w.numpy() for w in model.weights)
    x = np.ones((1, 2), "float32")
    found = script.gradient(model, x)
    slope = np.ones(2) @ kernel + bias - 1  # The mean is over two.
    expected = np.concatenate([np.tile(slope, 2), slope])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(model.weights[0].numpy(), kernel)


def test_report_of_a_file(script, tmp_path, capsys):
    times = {"gradient_milliseconds": 9.0, "processor_milliseconds": 8.0}
    rows = [
        {"method": name, "volume": volume, "error": 0.1, "cosine": 0.9, **times}
        for name in script.METHODS
        for volume in ("a", "b")
    ]
    rows[2]["processor_milliseconds"] = 2.0
    path = tmp_path / "out.json"
    found = {"what": "a network", "psnr": {"3": 30.0}, "rows": rows}
    path.write_text(json.dumps(found))
    picture = tmp_path / "out.png"
    command = ["--report", "--json", str(path), "--figure", str(picture)]
    assert script.main(command) == 0
    said = capsys.readouterr().out
    assert "3: 30.00" in said and picture.exists()
    line = next(x for x in said.splitlines() if x.startswith("shine "))
    assert line.split()[1:] == ["0.1000", "0.9000", "0.9000", "9", "2", "0.25"]


@pytest.mark.slow
def test_small_run(script, folder, capsys):
    small = "--filters 2 --iterations 4 --steps 2 --slices 1".split()
    data = ["--data", str(folder / "data")]
    assert script.main([*small, *data]) == 0
    said = capsys.readouterr().out
    exact = next(x for x in said.splitlines() if x.startswith("exact"))
    assert float(exact.split()[2]) > 0.9


def test_nonsense_is_refused(script, capsys):
    for command, said in (("--steps 0", "--steps"), ("--report", "--json")):
        with pytest.raises(SystemExit, match="2"):
            script.main(command.split())
        assert said in capsys.readouterr().err
