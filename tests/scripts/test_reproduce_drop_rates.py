import json

import numpy as np
import pytest

import loupe_tf
from experiments.presets import drop_rates


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_drop_rates.py")


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--drop-rates", "0.6", "--epochs", "1", "--filters", "2"),
        *("--depth", "1", *others),
    ]


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    assert script.main(_arguments(folder)) == 0
    first = capsys.readouterr().out
    assert "mse, drop rate 0.6: learned against unlearned" in first
    out = folder / "out"
    pictures = {path.stem for path in out.glob("*.png")}
    assert pictures == {
        "curves_mse",
        "masks_mse",
        "reconstructions_mse_d0.6",
    }
    assert (out / "report.html").read_text().count("<img") == 3
    results = json.loads((out / "results.json").read_text())
    assert [r["mask"] for r in results["runs"]] == ["learned", "unlearned"]
    for record in results["runs"]:
        # 102 of 256 entries: 40 % to the nearest whole entry.
        assert record["achieved_acceleration"] == pytest.approx(256 / 102)
        assert record["trace"]["round"] == [1, 2]
        for split in ("train", "test"):
            volumes = record["splits"][split]["volumes"].values()
            mean = np.mean([v["psnr"] for v in volumes])
            # All volumes have as many slices.
            found = record["splits"][split]["psnr"]
            assert found == pytest.approx(mean, abs=1e-3)

    def refuse(*_):
        raise AssertionError("a finished run was repeated")

    monkeypatch.setattr(script, "train", refuse)
    assert script.main(_arguments(folder)) == 0
    assert capsys.readouterr().out == first


def test_both_masks_have_the_budget(script):
    settings = {**drop_rates.PRESETS["smoke"], "depth": 1}
    for mask in script.MASKS:
        run = script.Run("l1_ssim", 0.2, mask, 3)
        model = script.build_model(run, settings, (20, 22, 1))
        found = script.masks.from_model(model)
        assert found.array.sum() == round(0.8 * 20 * 22)
        assert isinstance(model.loss, loupe_tf.losses.L1SSIM)


@pytest.mark.slow
def test_a_run_that_diverges_is_recorded(script, folder, capsys, monkeypatch):
    real = script.build_model

    def diverging(run, settings, shape):
        model = real(run, settings, shape)
        if run.mask == "learned":
            model.optimizer.learning_rate = float("nan")
        return model

    monkeypatch.setattr(script, "build_model", diverging)
    assert script.main(_arguments(folder)) == 0
    results = json.loads((folder / "out" / "results.json").read_text())
    assert [r["diverged"] for r in results["runs"]] == [True, False]
    assert results["verdicts"] == []
    assert "unlearned" in capsys.readouterr().out


def test_refuses_what_cannot_be(script, folder, capsys):
    with pytest.raises(SystemExit) as stop:
        script.main(_arguments(folder, "--drop-rates", "1"))
    assert stop.value.code == 2
    assert "--drop-rates" in capsys.readouterr().err
    (folder / "out").mkdir()
    (folder / "out" / "settings.json").write_text('{"filters": 3}')
    (folder / "out" / "results.json").touch()
    assert script.main(_arguments(folder)) == 2
    assert "--out" in capsys.readouterr().err
    assert not (folder / "out" / "runs").exists()


def test_pairs_are_of_the_same_seed_and_volume(script):
    def record(mask, seed, psnr):
        volumes = {"a": {"psnr": psnr}, "b": {"psnr": psnr + 1}}
        return {
            "loss": "mse",
            "drop_rate": 0.4,
            "mask": mask,
            "seed": seed,
            "diverged": False,
            "splits": {"test": {"volumes": volumes}},
        }

    records = [
        record("unlearned", 1, 20.0),
        record("learned", 0, 99.0),
        record("learned", 1, 22.0),
    ]
    (sentence,) = script.experiments.verdicts(
        script.claims(script.Run.cells(records)), script.volumes_of
    )
    assert sentence.startswith("mse, drop rate 0.4: learned against unlearned")
    assert "+2.00 ± 0.00 dB" in sentence and "over 2 pairs" in sentence


def test_folds_have_an_interval_over_patients(script, tmp_path):
    def record(mask, fold, psnr):
        volumes = {f"v{fold}": {"psnr": psnr, "ssim": 0.5}}
        split = {"psnr": psnr, "psnr_over_slices": 1.0, "volumes": volumes}
        return {
            **{"loss": "mse", "drop_rate": 0.4, "mask": mask, "fold": fold},
            **{"seed": 100 * fold, "diverged": False, "epochs": 2},
            "patients": {f"v{fold}": f"patient{fold}"},
            "splits": {"train": split, "test": split},
            "trace": {"loss": [1.0], "val_loss": [1.0], "round": [1]},
        }

    records = [
        record(mask, fold, psnr)
        for fold, pair in enumerate([(20.0, 22.0), (21.0, 23.1), (22.0, 24.2)])
        for mask, psnr in zip(("unlearned", "learned"), pair)
    ]
    found = script.results(records, tmp_path)
    (_, rows), _ = found["tables"].values()
    assert rows[0][1:3] == [
        "mse, drop rate 0.4: learned against unlearned mask",
        "+2.10 [+1.85, +2.35]",
    ]
    assert found["sentences"] == [] and found["figures"]["gains"][0]
