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
    assert len(records) == 2 + 6 + 3
    by = {(r["mask"], r["method"]): r for r in records}
    assert "coverage" not in by["random", "unet"]
    for method in "dropout", "ensemble", "network":
        assert by["random", method]["fitted"] > 0
        assert 0 < by["random", method]["conformal"]["share"] <= 1
        assert 0 < by["random", method]["lesion"]["probability"] <= 1
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
    assert len(found["volumes"]) == len(plain.volumes)


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_by_bit(script, folder, monkeypatch):
    """Also through the script, in the middle of the chains of a run."""
    import json as files

    from loupe_tf.posterior import chains as module

    data = ["--data", str(folder / "data"), "--methods", "gaussian"]
    assert script.main([*data, "--out", str(folder / "whole")]) == 0
    out, saves = folder / "out", []

    def save(*arguments, keep=module._save):
        keep(*arguments)
        saves.append(arguments)
        # Two runs of Gaussian images have some 14 each.
        if len(saves) == 33:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "_save", save)
    assert script.main([*data, "--out", str(out)]) != 0
    assert list(out.glob("unfinished/*gaussian*/test.npz"))
    assert script.main([*data, "--out", str(out)]) == 0
    assert not list(out.glob("unfinished/*"))
    found, whole = (
        files.loads((folder / name / "results.json").read_text())["runs"]
        for name in ("out", "whole")
    )
    for one, other in zip(found, whole, strict=True):
        assert one["seconds"] >= 0
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
