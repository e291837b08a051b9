import json

import numpy as np
import pytest

import loupe_tf
from experiments import curve_densities
from experiments.presets import sparkling
from loupe_tf.run_folder import RunFolder


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_sparkling.py")


SMALL = sparkling.PRESETS["smoke"]


def test_all_curves_have_as_many_samples(script, tmp_path, monkeypatch):
    """Within the limits, with a density for each, made once."""
    learned = np.full((32, 32), 0.1)
    learned[12:20, 12:20] = 0.9
    monkeypatch.setattr(curve_densities, "_probability", lambda *_: learned)
    monkeypatch.setattr(
        curve_densities, "validation_error", lambda *_: next(errors)
    )
    settings = {**SMALL, "decays": [3.0, 1.0, 2.0]}
    image = np.zeros((1, 32, 32, 1), "float32")
    part = loupe_tf.datasets.Slices(image, ["v"], ["v"], [None])
    splits = {"train": part, "validation": part}
    folder, errors = RunFolder(tmp_path), iter([2.0, 1.0, 3.0])
    hardware = loupe_tf.trajectories.HARDWARE["sparkling"]
    distances = {}
    for density in sparkling.DENSITIES:
        run = script.Run(2.0, "adjoint", density, 0)
        made, rho = curve_densities.curves(run, settings, splits, folder)
        assert made.positions.shape == (8, 64, 2) and rho.shape == (32, 32)
        found = curve_densities.facts(made, rho, hardware)
        assert found["feasible"] and found["slew"] <= 1.00001
        distances[density] = found["distance"]
        # The second power had the lowest error, and nothing is made again.
        assert found.get("decay") == (1.0 if density == "decay" else None)
        again, _ = curve_densities.curves(run, settings, {}, folder)
        assert again == made
    assert distances["learned"] < 0.5
    with pytest.raises(StopIteration):
        next(errors)


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    arguments = [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--densities", "radial", "learned"),
    ]
    assert script.main(arguments) == 0
    said = capsys.readouterr().out
    assert "learned density, -log(1 - P) against spokes" in said
    records = json.loads((folder / "out" / "results.json").read_text())["runs"]
    assert {r["network"] for r in records} == {*sparkling.METHODS}
    assert all(r["feasible"] and r["test"]["unit_range"] for r in records)

    def refuse(*_, **__):
        raise AssertionError("made")

    monkeypatch.setattr(curve_densities, "_make", refuse)
    assert script.main(arguments) == 0
    assert script.main(["--report", "--out", str(folder / "out")]) == 0


@pytest.mark.parametrize(
    "others, said",
    [
        (("--densities", "rosette"), "rosette"),
        (("--samples", "0"), "--samples"),
        (("--steps", "0"), "--steps"),
        (("--epochs", "0"), "--epochs"),
    ],
)
def test_refuses_wrong_options(capsys, others, said):
    with pytest.raises(SystemExit) as stop:
        sparkling.parse("Title.\n\nText.", ["--preset", "cpu", *others])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
