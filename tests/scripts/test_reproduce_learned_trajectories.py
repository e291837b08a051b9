import json

import numpy as np
import pytest

import loupe_tf
from experiments.presets import learned_trajectories
from loupe_tf.trajectories import HARDWARE, Trajectory


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_learned_trajectories.py")


def test_each_way_to_learn_has_its_sampler(script):
    settings = learned_trajectories.PRESETS["cpu"]
    found = {}
    for curves in learned_trajectories.CURVES:
        run = script.Run(4.0, "adjoint", curves, 0)
        found[curves] = script.make_sampler(run, settings, (64, 64))
    assert isinstance(found.pop("radial"), loupe_tf.samplers.GivenTrajectory)
    configs = {name: s.get_config() for name, s in found.items()}
    for name, config in configs.items():
        assert (config["hardware"] is None) == (name == "free")
        assert (config["penalty"] is None) == (name not in script.PENALTIES)
        assert (config["levels"] > 1) == (name in ("resolutions", "splines"))
        # The learning rate of positions.
        rate = config["unit"] * settings["learning_rate"]
        assert rate == pytest.approx(settings["step"])
        assert config["echo"] == 32
    assert configs["weak"]["penalty"] == pytest.approx(
        configs["penalty"]["penalty"] / 10
    )


def test_facts_and_the_nearest_that_can_run(script, rng):
    settings = learned_trajectories.PRESETS["cpu"]
    run = script.Run(4.0, "adjoint", "radial", 0)
    spokes = script.start(run, settings, (64, 64))
    hardware = HARDWARE[settings["hardware"]]
    found = script.facts(spokes, hardware)
    assert found["beyond"] == found["excess"] == 0
    # 13 of the 64 samples of a spoke are less than 0.1 from DC.
    assert found["centre"] == pytest.approx(13 / 64, abs=1e-4)
    assert found["step"] == pytest.approx(1, abs=1e-3)
    noise = rng.normal(0, 2e-3, spokes.positions.shape)
    noisy = spokes.replace(positions=0.95 * spokes.positions + noise)
    found = script.facts(noisy, hardware)
    assert found["beyond"] > 0.2 and found["excess"] > 0.5
    mended = script.nearest(noisy, hardware)
    found = script.facts(mended, hardware)
    # 40 mT/m for 20 µs, in a field of view of 44.8 mm.
    assert found["beyond"] == 0 and found["step"] <= 1.526
    assert np.abs(mended.positions - noisy.positions).max() < 0.05
    np.testing.assert_allclose(mended.positions[:, 32], 0, atol=1e-9)


def test_projected_curves_are_a_row_of_their_own(script):
    one = {"curves": "penalty", "test": 1, "beyond": 0.5}
    two = {**one, "projected": {"test": 2, "beyond": 0.0}}
    found = script.with_projected([one, two])
    assert found[:2] == [one, two] and len(found) == 3
    assert found[2]["curves"] == "penalty_feasible"
    assert found[2]["test"] == 2 and found[2]["beyond"] == 0


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    arguments = [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--curves", "radial", "resolutions", "penalty"),
    ]
    assert script.main(arguments) == 0
    said = capsys.readouterr().out
    assert "by projection, coarse to fine against spokes" in said
    records = json.loads((folder / "out" / "results.json").read_text())["runs"]
    assert {r["network"] for r in records} == {*learned_trajectories.METHODS}
    for record in records:
        assert record["test"]["unit_range"]
        if record["curves"] == "resolutions":
            assert record["beyond"] == 0
        assert ("projected" in record) == (record["curves"] == "penalty")
    kept = folder / "out" / "trajectories"
    assert Trajectory.load(next(kept.glob("resolutions*"))).samples == 64

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)
    assert script.main(arguments) == 0
    assert script.main(["--report", "--out", str(folder / "out")]) == 0


@pytest.mark.parametrize(
    "others, said",
    [
        (("--curves", "rosette"), "rosette"),
        (("--samples", "0"), "--samples"),
        (("--levels", "0"), "--levels"),
        (("--epochs", "0"), "--epochs"),
    ],
)
def test_refuses_wrong_options(capsys, others, said):
    with pytest.raises(SystemExit) as stop:
        learned_trajectories.parse(
            "Title.\n\nText.", ["--preset", "cpu", *others]
        )
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
