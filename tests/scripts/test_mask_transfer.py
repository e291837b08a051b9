import json

import keras
import numpy as np
import pytest

import loupe_tf
from experiments import transfer
from experiments.presets import mask_transfer
from loupe_tf import evaluation, masks
from loupe_tf.reconstruction import Network, ZeroFilled


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("mask_transfer.py")


@pytest.fixture
def small(script, monkeypatch):
    """Two masks of points and one of lines; no compressed sensing."""
    monkeypatch.setattr(script, "POINTS", ("learned", "gaussian"))
    monkeypatch.setattr(script, "LINES", ("equispaced_lines",))
    monkeypatch.setattr(
        script, "MASKS", ("learned", "gaussian", "equispaced_lines")
    )
    monkeypatch.setattr(script, "CLASSICAL", ("zero_filled",))
    return script


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--epochs", "1", "1", "--filters", "2", "--depth", "1"),
        *others,
    ]


def _results(folder):
    return json.loads((folder / "out" / "results.json").read_text())


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    small, folder, capsys, monkeypatch
):
    assert small.main(_arguments(folder)) == 0
    first = capsys.readouterr().out
    out = folder / "out"
    names = small.MASKS
    for kind, suffix in (("masks", "npz"), ("models", "keras")):
        assert {path.name for path in (out / kind).iterdir()} == {
            f"R4-{name}-seed0.{suffix}" for name in names
        }
    records = _results(folder)["runs"]
    trained = [r for r in records if r["task"] == "train"]
    tried = {r["subject"]: r for r in records if r["task"] == "try"}
    assert {r["subject"] for r in trained} == set(names)
    assert set(tried) == {"zero_filled", *map(transfer.unet_of, names)}
    assert all(set(r["results"]) == set(names) for r in tried.values())
    assert not any(r["error"] for r in records)
    for record in trained:
        lines = "lines" in record["subject"]
        assert record["achieved_acceleration"] == 4.0
        path = out / "masks" / f"R4-{record['subject']}-seed0.npz"
        assert masks.SamplingMask.load(path).lines == (
            "columns" if lines else None
        )
    pictures = {path.stem for path in out.glob("*.png")}
    assert pictures == {
        "masks_R4",
        "reconstructions_R4_own_U-Net",
        "transfer_R4",
    }

    # One figure of the record, from the files: a U-Net on another's mask.
    splits, _ = loupe_tf.datasets.load_splits(str(folder / "data"))
    test = splits["test"].evenly(1)
    model = keras.models.load_model(out / "models/R4-gaussian-seed0.keras")
    mask = masks.SamplingMask.load(out / "masks/R4-learned-seed0.npz")
    expected = evaluation.judge(Network(model), mask, test.images, test.volumes)
    found = tried["unet_gaussian"]["results"]["learned"]["unit_range"]
    for volume, values in expected["unit_range"].items():
        assert found[volume] == pytest.approx(values, rel=1e-4)

    def refuse(*_):
        raise AssertionError("a finished run was repeated")

    monkeypatch.setattr(small, "do", refuse)
    assert small.main(_arguments(folder)) == 0
    assert capsys.readouterr().out == first


@pytest.mark.slow
def test_a_training_that_diverges_is_reported(
    small, folder, capsys, monkeypatch
):
    real = small.build_model

    def diverging(run, *arguments):
        model = real(run, *arguments)
        if run.subject == "learned":
            model.optimizer.learning_rate = float("nan")
        return model

    monkeypatch.setattr(small, "build_model", diverging)
    assert small.main(_arguments(folder)) == 0
    results = _results(folder)
    errors = {(r["task"], r["subject"]): r["error"] for r in results["runs"]}
    assert "diverged" in errors.pop(("train", "learned"))
    assert "diverged" in errors.pop(("try", "unet_learned"))
    assert not any(errors.values())
    for record in results["runs"]:
        if record["task"] == "try" and not record["error"]:
            assert "diverged" in record["results"]["learned"]["error"]
            assert record["results"]["gaussian"]["unit_range"]
    text = " ".join(results["verdicts"])
    assert "train-R4-learned-seed0: the training has diverged." in text
    assert "nan" not in capsys.readouterr().out.lower()


@pytest.mark.parametrize(
    "name, lines, calibration",
    [
        ("learned", None, None),
        ("learned_calibrated", None, 1),
        ("learned_lines", "columns", None),
        ("learned_lines_calibrated", "columns", 4),
    ],
)
def test_learned_masks_have_the_budget_of_the_others(
    script, name, lines, calibration
):
    settings = {**mask_transfer.PRESETS["smoke"], "depth": 1}
    run = script.Run("train", 5.0, name, 1)
    model = script.build_model(run, settings, np.zeros((1, 20, 56, 1)))
    mask = masks.from_model(model)
    assert mask.lines == lines and mask.calibration == calibration
    assert mask.slope == settings["slope"]
    assert mask.acquired == round(mask.array.size / 5)
    # Before the first step the network leaves the zero-filled image alone.
    x = np.random.default_rng(0).uniform(size=(1, 20, 56, 1)).astype("float32")
    np.testing.assert_allclose(
        model.predict(x, verbose=0),
        evaluation.reconstruct(ZeroFilled(), mask, x),
        atol=1e-5,
    )


def test_spectrum_is_that_of_the_training_images(script, images):
    run = script.Run("train", 4.0, "spectrum", 0)
    settings = {**mask_transfer.PRESETS["smoke"], "depth": 1}
    model = script.build_model(run, settings, images)
    found = masks.from_model(model).array
    np.testing.assert_array_equal(found, masks.spectrum(images, 4).array)


def _trial(subject, seed, *psnr):
    """A record of one volume."""
    results = {
        mask: {"unit_range": {"v": {"psnr": x, "ssim": x / 100}}, "refused": {}}
        for mask, x in zip(("learned", "gaussian", "equispaced_lines"), psnr)
    }
    cell = {"task": "try", "acceleration": 4.0, "subject": subject}
    return {**cell, "seed": seed, "error": None, "results": results}


def _trials(seed, **others):
    return [
        {**_trial(subject, seed, *(x + seed % 3 for x in psnr)), **others}
        for subject, psnr in {
            "total_variation": (22, 25, 20),
            "unet_learned": (31, 24, 21),
            "unet_gaussian": (26, 30, 22),
            "unet_equispaced_lines": (27, 23, 28),
        }.items()
    ]


def test_sentences_are_of_the_same_seed_and_volume(small, tmp_path):
    found = small.results(_trials(0) + _trials(1), tmp_path)
    network, tv, own, foreign = found["sentences"]
    assert "own U-Net against another's" in network and "+5.83 dB" in network
    pair = "learned, no region against Gaussian points"
    assert f"R = 4: total variation: {pair}" in tv
    assert "-3.00 dB" in tv
    assert f"own U-Net: {pair}" in own and "+1.00 dB" in own
    # 5, 4, 6, 7, 7 and 6 dB in both seeds.
    assert "5.83 dB on average, from 4.00 to 7.00 over 12 pairs" in foreign


def test_folds_have_an_interval_over_patients(small, tmp_path):
    records = []
    for fold, seed in enumerate((0, 100, 200)):
        folds = {"fold": fold, "patients": {f"v{fold}": f"patient{fold}"}}
        for record in _trials(seed, **folds):
            for result in record["results"].values():
                found = result.pop("unit_range")
                result["unit_range"] = {f"v{fold}": found["v"]}
            records.append(record)
    records[1]["results"]["learned"]["unit_range"]["v0"]["psnr"] += 0.3
    found = small.results(records, tmp_path)
    rows = [
        row
        for header, rows in found["tables"].values()
        if header[-1] == "verdict"
        for row in rows
    ]
    assert [row[1] for row in rows] == [
        "mean over masks: their own U-Net against another's",
        "total variation: learned, no region against Gaussian points",
        "own U-Net: learned, no region against Gaussian points",
    ]
    assert rows[2][2] == "+1.10 [+0.67, +1.53]"
    assert rows[2][3].startswith("better (detectable: ")
    assert [x for x in found["sentences"] if "against" in x] == []


def test_some_masks(script):
    chosen = ["equispaced_lines", "learned"]
    options = ["--masks", *chosen, "--test-slices", "2"]
    settings = script.parse(script.__doc__, options)
    assert settings["test_slices"] == 2
    runs = script.grid(settings)
    assert [run.subject for run in runs] == [
        *("learned", "equispaced_lines"),
        *script.CLASSICAL,
        *("unet_learned", "unet_equispaced_lines"),
    ]


@pytest.mark.parametrize("option", ["--test-slices", "--tuning-slices"])
def test_refuses_no_slices(script, option, capsys):
    with pytest.raises(SystemExit):
        script.parse(script.__doc__, [option, "0"])
    assert f"{option}: expected 1 or more" in capsys.readouterr().err


def test_refuses_what_cannot_be(small, folder, capsys):
    with pytest.raises(SystemExit) as stop:
        small.main(_arguments(folder, "--accelerations", "1"))
    assert stop.value.code == 2
    assert "--accelerations" in capsys.readouterr().err
    (folder / "out").mkdir()
    (folder / "out" / "settings.json").write_text('{"filters": 3}')
    (folder / "out" / "results.json").touch()
    assert small.main(_arguments(folder)) == 2
    assert "--out" in capsys.readouterr().err
    # The 16 columns leave no line at R = 40.
    other = _arguments(folder, "--accelerations", "40")
    other[3] = str(folder / "other")
    assert small.main(other) == 2
    assert "acceleration" in capsys.readouterr().err
    for name in ("out", "other"):
        assert not (folder / name / "runs").exists()
    for file in [*(folder / "data").glob("*.npy")][2:]:
        file.unlink()
    assert small.main(_arguments(folder)) == 2
    assert "volumes" in capsys.readouterr().err
