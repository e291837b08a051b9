import json
import pathlib
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from experiments import slope_claims, verdicts
from experiments.presets.four_s import PRESETS

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "reproduce_4s.py"
# Kills itself in the second epoch of the second run.
KILLED = """
import os, runpy, signal, sys
import keras

epochs = []

class Kill(keras.callbacks.TerminateOnNaN):
    def on_batch_end(self, batch, logs=None):
        if len(epochs) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_end(self, epoch, logs=None):
        epochs.append(epoch)

keras.callbacks.TerminateOnNaN = Kill
sys.path.insert(0, os.path.dirname(sys.argv[1]))
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_4s.py")


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--accelerations", "4", "--slopes", "20", "--first-slope", "20"),
        *("--epochs", "1"),
        *("--filters", "2", "--depth", "2", *others),
    ]


def _record(seed=0, psnr=30.0, val=30.0, **fields):
    """A record as a run leaves it, of two test volumes."""
    kinds = ("relaxed", "sampled", "threshold", "exact")
    volumes = {
        "a": {"psnr": psnr, "ssim": 1.0, "nmse": 0.0},
        "b": {"psnr": psnr + 1, "ssim": 1.0, "nmse": 0.0},
    }
    result = {"achieved_acceleration": 4.0, "volumes": volumes}
    return {
        "acceleration": 4.0,
        "method": "fixed",
        "slope": 20.0,
        "protocol": "one_round",
        "seed": seed,
        "slope_found": 20.0,
        "best_val_psnr": val,
        "binarizations": {kind: result for kind in kinds},
        **fields,
    }


def _verdicts(script, records):
    claims = slope_claims.claims(script.Run.cells(records))
    return verdicts(claims, script.volumes_of)


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    assert script.main(_arguments(folder)) == 0
    first = capsys.readouterr().out
    out = folder / "out"
    names = {path.stem for path in (out / "runs").iterdir()}
    assert names == {
        "R4-slope_20-one_round-seed0",
        "R4-slope_20-two_rounds-seed0",
        "R4-4s-two_rounds-seed0",
    }
    for name in (
        "psnr_against_slope",
        "probability_masks",
        "histograms_R4",
        "trace_R4",
    ):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "report.html").read_text()
    assert page.count("<img") == 4 and "s = 20" in page
    results = json.loads((out / "results.json").read_text())
    epochs = {r["protocol"]: r["epochs"] for r in results["runs"]}
    # Both protocols may take as many.
    assert epochs == {"one_round": 2, "two_rounds": 2}
    for record in results["runs"]:
        kinds = record["binarizations"]
        assert kinds["exact"]["achieved_acceleration"] == 4.0
        assert kinds["relaxed"]["achieved_acceleration"] == pytest.approx(
            4.0, rel=0.1
        )
        assert sum(record["histogram"]) == 16 * 16
        with np.load(out / "images" / (script_name(script, record))) as arrays:
            assert arrays["probability"].mean() == pytest.approx(0.25, abs=1e-3)
            # Of 1,000 realizations, each of them nearly P on average.
            difference = arrays["average"] - arrays["probability"]
            assert abs(difference.mean()) < 0.01
    assert not any((out / "unfinished").iterdir())

    def refuse(*_):
        raise AssertionError("a finished run was repeated")

    monkeypatch.setattr(script, "train", refuse)
    assert script.main(_arguments(folder)) == 0
    assert capsys.readouterr().out == first
    # The records alone, as they may be kept with a page of results.
    shutil.rmtree(out / "images")
    for path in out.glob("*.png"):
        path.unlink()
    assert script.main(_arguments(folder)) == 0
    pictures = {path.stem for path in out.glob("*.png")}
    assert pictures == {"psnr_against_slope", "trace_R4"}


@pytest.mark.slow
def test_killed_and_started_again_gives_the_same_table(script, folder, capsys):
    arguments = _arguments(folder)
    assert script.main(arguments) == 0
    whole = json.loads((folder / "out" / "results.json").read_text())
    again = [*arguments, "--out", str(folder / "again")]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(SCRIPT), *again],
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list((folder / "again" / "runs").iterdir())) == 1
    assert script.main(again) == 0
    resumed = json.loads((folder / "again" / "results.json").read_text())
    for results in (whole, resumed):
        for record in results["runs"]:
            del record["seconds"]
    assert resumed["runs"] == whole["runs"]
    assert resumed["verdicts"] == whole["verdicts"]


def script_name(script, record):
    return f"{script.Run.of(record).name}.npz"


@pytest.mark.slow
def test_other_methods_join_the_folder(script, folder, capsys):
    methods = ("linear", "straight_through")
    arguments = _arguments(folder, "--methods", *methods)
    assert script.main(arguments) == 0
    results = json.loads((folder / "out" / "results.json").read_text())
    found = {r["method"]: r["slope_found"] for r in results["runs"]}
    # One epoch of a schedule is its beginning; the other's slope is its own.
    assert found == {"linear": 20.0, "straight_through": 12.0}
    pictures = {path.stem for path in (folder / "out").glob("*.png")}
    assert pictures == {"methods", "probability_masks_of_others"}


@pytest.mark.slow
def test_variants_of_4s(script, folder, capsys, monkeypatch):
    tiny = {
        "4s_full": {"epochs": [2, 1]},
        "4s_annealed": {"anneal": True},
        "4s_frozen": {"epochs": [1, 2], "freeze_mask": True},
    }
    monkeypatch.setitem(PRESETS["cpu"], "variants", tiny)
    arguments = _arguments(
        folder, "--preset", "cpu", "--seeds", "0", "--methods", *tiny
    )
    assert script.main(arguments) == 0
    results = json.loads((folder / "out" / "results.json").read_text())
    traces = {r["method"]: r["trace"] for r in results["runs"]}
    assert traces["4s_full"]["round"] == [1, 1, 2]
    # A cosine from 0.01 to 0 over two epochs.
    rates = traces["4s_annealed"]["learning_rate"]
    np.testing.assert_allclose(rates, [0.01, 0.005], rtol=1e-5)
    assert traces["4s_frozen"]["round"] == [1, 2, 2]
    assert len(traces["4s_frozen"]["slope"]) == 3
    printed = capsys.readouterr().out
    assert "| recipe |" in printed
    for method in tiny:
        assert f"| `{method}` | 1 |" in printed
    # A run of other settings is not taken for one of these.
    tiny["4s_full"] = {"epochs": [1, 1]}
    assert script.main(arguments) == 2
    said = capsys.readouterr().err
    assert "with --epochs 1 1. Received: one with --epochs 2 1" in said


@pytest.mark.slow
def test_a_run_that_diverges_is_recorded(script, folder, capsys):
    arguments = _arguments(folder, "--methods", "fixed")
    real = script.build_model

    def diverging(run, settings, shape):
        model = real(run, settings, shape)
        if run.protocol == "one_round":
            model.optimizer.learning_rate = float("nan")
        return model

    script.build_model = diverging
    try:
        assert script.main(arguments) == 0
    finally:
        script.build_model = real
    results = json.loads((folder / "out" / "results.json").read_text())
    diverged = {r["protocol"]: r["diverged"] for r in results["runs"]}
    assert diverged == {"one_round": True, "two_rounds": False}
    assert "s = 20" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--methods", "magic"], "magic"),
        (["--methods", "4s_short"], "the preset smoke has no 4s_short"),
        (["--accelerations", "1"], "--accelerations"),
        (["--slopes", "0"], "--slopes"),
        (["--images", "8", "0", "1"], "--images: expected three integers"),
        (["--precision", "float16"], "--precision"),
        (["--protocols", "three_rounds"], "--protocols"),
    ],
)
def test_refuses_an_unknown_grid(script, folder, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        script.main(_arguments(folder, *arguments))
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_the_size_of_the_paper_needs_data(script, capsys):
    with pytest.raises(SystemExit) as stop:
        script.main(["--preset", "paper320"])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert "--data: the preset paper320 has no data" in message
    assert "FILE.npz" in message


def test_the_grid_of_the_size_of_the_paper(script):
    settings = {**PRESETS["paper320"], "methods": ["fixed", "4s"]}
    assert [run.name for run in script.grid(settings)] == [
        "R8-slope_20-two_rounds-seed0",
        "R8-slope_200-two_rounds-seed0",
        "R8-4s-two_rounds-seed0",
    ]


def test_precision_is_that_of_the_network_alone(script, keras_config, rng):
    run = script.Run(4.0, "4s", "two_rounds", None, 0)
    settings = {**PRESETS["smoke"], "precision": "mixed_bfloat16"}
    model = script.build_model(run, settings, (16, 16, 1))
    assert all(weight.dtype == "float32" for weight in model.weights)
    network = model.reconstructor.network
    for layer in model.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            assert layer.compute_dtype == "float32", layer.name
    convolutions = [
        layer.compute_dtype
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert set(convolutions[:-1]) == {"bfloat16"}
    assert convolutions[-1] == "float32"
    images = rng.uniform(size=(2, 16, 16, 1)).astype("float32")
    found = model.predict(images, verbose=0)
    # What is built next is not of that precision.
    model = script.build_model(run, PRESETS["smoke"], (16, 16, 1))
    assert keras.config.dtype_policy().name == "float32"
    # An untrained network adds zeros: images, masks and transforms as they are.
    np.testing.assert_allclose(
        model.predict(images, verbose=0), found, atol=1e-6
    )


def test_precisions_are_not_mixed_in_a_folder(script, folder, capsys):
    arguments = _arguments(folder, "--methods", "4s")
    (folder / "out" / "runs").mkdir(parents=True)
    (folder / "out" / "results.json").touch()
    settings = {"precision": "mixed_bfloat16"}
    (folder / "out" / "settings.json").write_text(json.dumps(settings))
    assert script.main([*arguments, "--precision", "float32"]) == 2
    assert "--precision mixed_bfloat16" in capsys.readouterr().err


def test_refuses_a_folder_of_other_settings(script, folder, capsys):
    (folder / "out").mkdir()
    (folder / "out" / "settings.json").write_text('{"filters": 3}')
    (folder / "out" / "results.json").touch()
    assert script.main(_arguments(folder)) == 2
    assert "--out" in capsys.readouterr().err
    assert not (folder / "out" / "runs").exists()


def test_refuses_data_without_test_volumes(script, folder, capsys):
    for path in (folder / "data").glob("*[1-3].npy"):
        path.unlink()
    assert script.main(_arguments(folder)) == 2
    assert "volumes" in capsys.readouterr().err


def test_the_best_slope_is_chosen_on_validation(script):
    records = [
        _record(slope=20.0, psnr=40.0, val=30.0),
        _record(slope=200.0, psnr=35.0, val=31.0),
        _record(method="4s", slope=None, protocol="two_rounds", psnr=36.0),
    ]
    (sentence,) = _verdicts(script, records)
    assert "s = 200" in sentence
    assert "+1.00 ± 0.00 dB over 2 pairs" in sentence


def test_only_pairs_of_the_same_seed_are_compared(script):
    records = [
        _record(seed=1, psnr=30.0),
        _record(method="4s", slope=None, protocol="two_rounds", psnr=99.0),
        _record(
            method="4s", slope=None, protocol="two_rounds", psnr=32.0, seed=1
        ),
    ]
    (sentence,) = _verdicts(script, records)
    assert "+2.00 ± 0.00 dB over 2 pairs" in sentence
