import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from loupe_tf import fourier

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/benchmarks/train_step.py"

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="measures TensorFlow"
)


@pytest.fixture(scope="module")
def train_step(load_script):
    return load_script("benchmarks/train_step.py")


@pytest.mark.slow
def test_quick_run_prints_ratios_and_writes_them(tmp_path):
    path = tmp_path / "out.json"
    command = [sys.executable, SCRIPT, "--quick", "--rounds", "2"]
    run = subprocess.run(
        [*command, "--json", path], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    (result,) = json.loads(path.read_text())["results"]
    assert result["setting"]["size"] == 16
    assert "16×16, batch 2, 2 filters, depth 2; 2 rounds" in run.stdout
    assert len(result["ratios"]) == 5
    for row in result["ratios"]:
        assert f"  {row['what']} " in run.stdout
        assert f" {row['ratio']:.3f} " in run.stdout
    seconds = result["seconds"]
    ratios = np.divide(seconds["loupe"], seconds["original"])
    assert len(ratios) == 2
    row = result["ratios"][1]
    assert row["ratio"] == pytest.approx(np.median(ratios))
    assert "limit" not in row
    for peak in result["memory"].values():
        assert 50 < peak["before"] <= peak["peak"]


def test_the_median_is_held_against_the_limit(train_step):
    seconds = {
        name: [1.0, 2.0, 3.0] for name in train_step.MODELS["tensorflow"]
    }
    # In every round slower than the U-Net by its own share, one of them odd.
    seconds["loupe"] = [1.2, 2.08, 9.0]
    memory = {name: {"peak": 2.0} for name in ("loupe", "unet", "original")}
    for limit, held in ((1.25, True), (1.15, False)):
        rows = train_step.compare(seconds, memory, limit)
        assert rows[0]["ratio"] == pytest.approx(1.2)
        assert (rows[0]["limit"], rows[0]["held"]) == (limit, held)
        assert (rows[1]["limit"], rows[1]["held"]) == (1.0, False)
        assert (rows[2]["ratio"], rows[2]["held"]) == (1.0, True)
        assert len(rows) == 5
        result = {"rounds": 3, "memory": {}, "ratios": rows}
        result["setting"] = train_step.QUICK
        text = train_step.table([result])
        assert f"  {limit:.2f}  {'yes' if held else 'NO'}\n" in text


def test_without_the_original_the_unet_is_compared_with(train_step):
    seconds = {name: [1.0] for name in train_step.MODELS["jax"]}
    memory = {name: {"peak": 1.0} for name in seconds}
    rows = train_step.compare(seconds, memory, 1.05)
    assert [row["what"].partition(",")[2] for row in rows] == 2 * [
        " over the bare U-Net's"
    ]


@pytest.mark.slow
def test_on_jax(tmp_path):
    pytest.importorskip("jax")
    command = [sys.executable, SCRIPT, "--quick", "--backend", "jax"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert " on jax, " in run.stdout and "original" not in run.stdout


def test_help_teaches_and_nonsense_is_refused(train_step, capsys):
    with pytest.raises(SystemExit, match="0"):
        train_step.main(["--help"])
    assert "1.05 for 320×320, batch 4, 32 filters" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        train_step.main(["--rounds", "0"])
    message = "--rounds must be at least 1, not 0"
    assert message in capsys.readouterr().err


def test_limits_belong_to_the_settings_of_the_presets(train_step):
    def limits(*arguments):
        options = train_step.parse_arguments(arguments)
        return [limit for _, limit in train_step.chosen_settings(options)]

    assert limits() == [1.05, 1.10]
    assert limits("--size", "320") == [1.05]
    assert limits("--size", "128", "--batch", "16", "--filters", "16") == [1.1]
    assert limits("--size", "128") == [None]
    assert limits("--quick") == [None]


@pytest.mark.parametrize("mean", [0.1, 0.6])
def test_both_graphs_compute_the_same(train_step, rng, monkeypatch, mean):
    setting = {"size": 16, "filters": 3, "depth": 2}
    loupe = train_step.build_model("loupe", **setting)
    original = train_step.build_model("original", **setting)
    original.get_layer("unet").set_weights(
        loupe.reconstructor.network.get_weights()
    )
    # The original's mask and everything else of it has DC in the corner.
    prob = np.clip(rng.uniform(size=(16, 16)) * 2 * mean, 0.01, 0.99)
    logits = np.log(prob / (1 - prob)) / train_step.PROB_SLOPE
    loupe.get_layer("prob_mask").logits.assign(logits)
    corner = fourier.ifftshift(logits[..., None].astype("float32"))
    original.get_layer("graph").logits.assign(corner)
    uniform = rng.uniform(size=(3, 16, 16, 1)).astype("float32")
    sampler, graph = (
        loupe.get_layer("sampled_mask"),
        original.get_layer("graph"),
    )
    monkeypatch.setattr(sampler, "_uniform", lambda shape: uniform)
    monkeypatch.setattr(
        graph, "uniform", lambda shape: fourier.ifftshift(uniform)
    )

    images = rng.uniform(size=(3, 16, 16, 1)).astype("float32")
    expected = original(images, training=True)
    np.testing.assert_allclose(
        loupe(images, training=True), expected, rtol=1e-4, atol=1e-4
    )
    # And so do their training steps, down to the weights.
    # Adam's first step is the gradient's sign times the rate: SGD shows more.
    for model in (loupe, original):
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
        model.train_on_batch(images, images)
    learned = fourier.ifftshift(
        keras.ops.expand_dims(loupe.get_layer("prob_mask").logits, -1)
    )
    moved = np.abs(np.array(learned) - np.array(corner)).max()
    assert moved > 1e-3
    np.testing.assert_allclose(
        learned, original.get_layer("graph").logits, atol=1e-2 * moved
    )
