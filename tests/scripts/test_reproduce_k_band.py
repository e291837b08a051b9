import json

import numpy as np
import pytest

from experiments import kspace_learning
from experiments.presets.k_band import PRESETS


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_k_band.py")


def test_all_scans_have_the_same_area(script):
    settings, size = PRESETS["smoke"], (32, 36)
    for method in settings["methods"]:
        run = script.Run(method=method, seed=0)
        region, weights = script.acquired(run, settings, size, 5)
        share = 1 if method == "supervised" else 1 / 4
        np.testing.assert_allclose(region.mean(axis=(1, 2)), share, rtol=0.01)
        weighted = method in ("k_band", "k_band_learned")
        assert (weights != 1).any() == weighted
        turned = weighted or method == "unweighted"
        assert (region != region[:1]).any() == turned


def test_annuli_have_the_relative_error(rng):
    true = rng.normal(size=(3, 16, 18)) + 1j * rng.normal(size=(3, 16, 18))
    found = kspace_learning.error_by_annulus(true, 1.25 * true, 4)
    np.testing.assert_allclose(found, [0.25] * 4, rtol=1e-6)


@pytest.mark.parametrize(
    "option", ["--angles 0", "--band-acceleration 1", "--acceleration 0.5"]
)
def test_refuses_invalid_options(script, option):
    with pytest.raises(SystemExit):
        script.main(option.split())


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(script, folder, capsys):
    methods = ["square", "k_band", "k_band_learned"]
    out = folder / "out"
    arguments = ["--data", str(folder / "data"), "--out", str(out)]
    arguments += ["--methods", *methods, "--filters", "2", "--depth", "1"]
    assert script.main(arguments) == 0
    assert "K-band against square" in capsys.readouterr().out
    records = json.loads((out / "results.json").read_text())["runs"]
    assert {record["method"] for record in records} == {*methods}
    for record in records:
        assert not record["diverged"] and record["test"]["unit_range"]
        assert len(record["annuli"]) == 4
    seconds = [record["seconds"] for record in records]
    assert script.main(arguments) == 0
    records = json.loads((out / "results.json").read_text())["runs"]
    assert [record["seconds"] for record in records] == seconds
    assert script.main(["--report", "--out", str(out)]) == 0
