import json

import numpy as np
import pytest

from experiments.presets.mask_from_scans import PRESETS
from loupe_tf import masks


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("learn_mask_from_scans.py")


def test_scans_have_their_mean_and_the_calibration_region(script):
    settings = PRESETS["smoke"]
    found = script.probability(settings, (32, 36))
    rate = settings["scan_acceleration"]
    np.testing.assert_allclose(found.mean(), 1 / rate, rtol=1e-6)
    assert found.min() >= script.LEAST and found.max() <= 1
    side = masks.default_calibration((32, 36), settings["acceleration"])
    assert (found[masks.calibration_region((32, 36), side)] == 1).all()


@pytest.mark.parametrize(
    "option", ["--epochs 0", "--hold-out 0.9", "--scan-acceleration 4"]
)
def test_refuses_invalid_options(script, option):
    with pytest.raises(SystemExit):
        script.main(option.split())


@pytest.mark.slow
def test_leaves_masks_of_the_budget(script, folder, capsys):
    out = folder / "out"
    arguments = ["--data", str(folder / "data"), "--out", str(out)]
    arguments += ["--filters", "2", "--depth", "1"]
    assert script.main(arguments) == 0
    said = capsys.readouterr().out
    assert "learned from undersampled scans against variable density" in said
    records = json.loads((out / "results.json").read_text())["runs"]
    assert len(records) == 4
    for record in records:
        assert record["test"]["unit_range"] and record["own"]["unit_range"]
    saved = [masks.SamplingMask.load(p) for p in (out / "masks").iterdir()]
    assert {mask.achieved_acceleration for mask in saved} == {4.0}
    assert script.main(["--report", "--out", str(out)]) == 0
