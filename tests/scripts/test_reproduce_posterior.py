import json

import numpy as np
import pytest

from experiments.presets import posterior as presets


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_posterior.py")


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    smaller = {"filters": 2, "unet_filters": 2, "unet_depth": 1, "levels": 3}
    smoke = presets.PRESETS["smoke"] | smaller
    monkeypatch.setitem(presets.PRESETS, "smoke", smoke)
    data, out = folder / "data", folder / "out"
    arguments = ["--data", str(data), "--out", str(out)]
    assert script.main(arguments) == 0
    said = capsys.readouterr().out
    assert "exact prior, HMC" in said
    assert "uncertain lines against power lines" in said
    records = json.loads((out / "results.json").read_text())["runs"]
    assert len(records) == 2 + 5 + 2
    by = {(r["mask"], r["method"]): r for r in records}
    assert "coverage" not in by["random", "unet"]
    assert by["random", "dropout"]["factor"] > 0
    found = by["uncertain", "network"]
    assert set(found["coverage"]) == {"pixels", "measured", "unmeasured"}
    # All have the same budget.
    rates = {r["achieved_acceleration"] for r in records if r["test"]}
    assert rates == {4}
    assert by["random", "hmc"]["acceptance"] > 0
    assert (out / "R4_random_network.png").exists()

    def refuse(*_, **__):
        raise AssertionError("drawn again")

    monkeypatch.setattr(script.samplers, "draw", refuse)
    assert script.main(arguments) == 0
    assert script.main(["--report", "--out", str(out)]) == 0


def test_lesions_are_planted_where_they_are_looked_for(script, folder):
    from experiments import posterior_scans as scans
    from loupe_tf.datasets import load_splits

    splits, _ = load_splits(str(folder / "data"))
    images = scans.with_phase(splits["test"], 0, count=2)
    plain, planted, discs = scans.lesions(images)
    change = np.linalg.norm(planted.images - plain.images, axis=-1)
    assert (change[discs] > 0.1).all() and change[~discs].max() == 0
    found = script.try_lesion(lambda x, _: x[None], images)
    np.testing.assert_allclose(found["share"], 1, rtol=1e-5)
    assert "widening" not in found
