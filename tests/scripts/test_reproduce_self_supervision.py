import json

import numpy as np
import pytest

import loupe_tf
from experiments.presets import self_supervision
from loupe_tf.datasets import Slices


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_self_supervision.py")


@pytest.fixture
def small(script, monkeypatch):
    """A network with few filters, and small masks."""
    smoke = {"filters": 2, "depth": 2, "calibration": 2, "images": None}
    presets = self_supervision.PRESETS
    monkeypatch.setitem(presets, "smoke", presets["smoke"] | smoke)
    return script


def _arguments(folder, *others):
    out = str(folder / "out")
    return ["--data", str(folder / "data"), "--out", out, *others]


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    small, folder, capsys, monkeypatch
):
    arguments = _arguments(folder, "--coils", "1", "2")
    arguments += ["--masks", "random", "one"]
    assert small.main(arguments) == 0
    assert "hold-out and a teacher against hold-out" in capsys.readouterr().out
    out = folder / "out"
    records = json.loads((out / "results.json").read_text())["runs"]
    assert len(records) == 2 * 2 * len(small.METHODS)
    assert (out / "energy.png").exists()
    for record in records:
        assert not record["diverged"] and record["test"]["unit_range"]
        learns = record["method"] not in small.CLASSICAL
        assert bool(record.get("epochs")) == learns
        taught = record["method"] in small.WITH_TEACHER
        assert ("energy_ratio" in record) == ("alarm" in record) == taught

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)
    assert small.main(arguments) == 0
    assert small.main(["--report", "--out", str(out)]) == 0
    assert "hold-out, weighted" in capsys.readouterr().out


def test_masks_have_the_budget_and_their_probabilities(script, rng):
    settings = {"acceleration": 4.0, "calibration": 4}
    images = rng.uniform(size=(3, 16, 16, 1)).astype("float32")
    part = Slices(images, np.array(["volume"] * 3))
    splits = {name: part for name in script.PARTS}
    run = script.Run(1, "random", "hold_out", seed=0)
    drawn, chance = script.masks_of(run, settings, splits, None)
    every = np.concatenate(drawn)
    assert (every.sum(axis=(1, 2, 3)) == 64).all()
    assert len({mask.tobytes() for mask in every}) == 9
    assert abs(chance.mean() - 1 / 4) < 1e-6
    assert (chance[6:10, 6:10] == 1).all()


def test_each_method_has_its_regime(script):
    settings = self_supervision.PRESETS["smoke"]
    kinds = {}
    for method in script.METHODS:
        run = script.Run(1, "one", method, seed=0)
        built = script.build_model(
            run, settings, (16, 16, 1), np.full((16, 16), 0.25)
        )
        if built is not None:
            kinds[method] = built[1]
    assert type(kinds["distillation"]).__name__ == "Distillation"
    assert kinds["multi"].splits == 3
    assert kinds["weighted"].probability is not None
    assert isinstance(kinds["supervised"], loupe_tf.models.Loupe)


def test_drawn_masks_have_the_budget_the_region_and_about_p(script, rng):
    chance = rng.uniform(0.05, 0.6, size=(16, 16))
    budget = round(chance.sum())
    drawn = script.draw_from(chance, budget, {"calibration": 2}, 2000, rng)
    assert drawn.shape == (2000, 16, 16, 1)
    assert (drawn.sum(axis=(1, 2, 3)) == budget).all()
    assert drawn[:, 7:9, 7:9].all()
    mean = drawn.mean(axis=0)[..., 0]
    outside = ~loupe_tf.masks.calibration_region((16, 16), 2)
    # Four standard errors, and what the region takes from the others.
    np.testing.assert_allclose(mean[outside], chance[outside], atol=0.06)


def test_ratios_are_for_methods_that_hold_out(script):
    settings = {
        "seeds": [0],
        "coils": [1],
        "masks": ["random"],
        "methods": ["zero_filled", "hold_out", "supervised"],
        "ratios": [0.2, 0.4],
    }
    runs = script.grid(settings)
    assert [run.stem for run in runs] == [
        "C1-random-zero_filled-seed0",
        "C1-random-hold_out0.2-seed0",
        "C1-random-hold_out-seed0",
        "C1-random-supervised-seed0",
    ]
    # Records that are older than the field.
    old = {"coils": 1, "mask": "random", "method": "hold_out", "seed": 0}
    assert script.Run.of(old) == runs[2]


def test_compares_ratios_and_draws_them(script, tmp_path):
    def record(method, ratio, psnr):
        run = script.Run(1, "random", method, 0, ratio)
        volume = {"volume": {"psnr": psnr, "ssim": psnr / 40}}
        found = {**run.record(), "diverged": False, "epochs": 3, "seconds": 1}
        found["test"] = {"unit_range": volume}
        if method == "unanchored":
            found["trace"] = {"energy_ratio": [0.9, 0.4, 0.1]}
            found["alarm"] = 1
        return found

    records = [record("hold_out", r, 30 + r) for r in (0.1, 0.4, 0.8)]
    records += [record("zero_filled", 0.4, 20), record("unanchored", 0.4, 9)]
    found = script.results(records, tmp_path)
    sentences = " ".join(found["sentences"])
    assert "0.8 held out: hold-out against 0.4 held out" in sentences
    assert "0.1 held out: hold-out against zero-filled" in sentences
    assert found["figures"]["ratios"][0] is not None
    assert found["figures"]["energy"][0] is not None
