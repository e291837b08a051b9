import json
import types

import numpy as np
import pytest

import loupe_tf
from experiments import tuned_points
from experiments.presets import xpdnet
from loupe_tf import masks


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_xpdnet.py")


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--epochs", "1", "--iterations", "1", *others),
    ]


@pytest.fixture
def small(script, monkeypatch):
    """Networks with few filters."""
    smoke = {"filters": 2, "depth": 1, "sizes": {1: (2, 2, 2), 3: (1, 1, 1)}}
    monkeypatch.setitem(
        xpdnet.PRESETS, "smoke", xpdnet.PRESETS["smoke"] | smoke
    )
    monkeypatch.setattr(script, "check_parameters", lambda *_: None)
    return script


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    small, folder, capsys, monkeypatch
):
    others = "--masks points unet_points --networks zero_filled unet varnet"
    arguments = _arguments(folder, "--coils", "2", *others.split())
    assert small.main(arguments) == 0
    said = capsys.readouterr().out
    assert "learned points: VarNet ×1 against U-Net" in said
    out = folder / "out"
    names = {path.stem for path in (out / "masks").iterdir()}
    assert names == {f"C2-R4-points-{n}-seed0" for n in ("unet", "varnet1")}
    records = json.loads((out / "results.json").read_text())["runs"]
    assert {(r["mask"], r["network"]) for r in records} == {
        ("points", "unet"),
        ("points", "varnet"),
        ("unet_points", "varnet"),
        ("unet_points", "zero_filled"),
    }
    for record in records:
        assert not record["diverged"]
        assert record["achieved_acceleration"] == pytest.approx(4, rel=0.01)
        assert record["test"]["unit_range"] and not record["test"]["refused"]
        assert bool(record["parameters"]) == ("epochs" in record)

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)
    assert small.main(arguments) == 0
    assert small.main(["--report", "--out", str(out)]) == 0
    assert "VarNet" in capsys.readouterr().out


def test_the_report_says_where_grappa_cannot_learn(small, folder, capsys):
    others = "--coils 2 --masks random --networks zero_filled grappa"
    assert small.main(_arguments(folder, *others.split())) == 0
    said = capsys.readouterr().out
    assert "C2-R4-random-grappa-seed0: Invalid value" in said
    assert "fully acquired centre of at least 7 columns" in said
    results = json.loads((folder / "out" / "results.json").read_text())
    found = {r["network"]: bool(r["test"]) for r in results["runs"]}
    assert found == {"zero_filled": True, "grappa": False}


def test_tuned_points_are_compared_with_given_ones(
    small, folder, capsys, monkeypatch
):
    pytest.importorskip("sigpy")
    monkeypatch.setitem(
        tuned_points.CANDIDATES, "tuned_gaussian", [{"std": 0.5}]
    )
    others = (
        "--coils 1 --masks gaussian tuned_gaussian --networks total_variation "
        "--regularizations 0.001 0.003"
    )
    assert small.main(_arguments(folder, *others.split())) == 0
    said = capsys.readouterr().out
    assert "tuned Gaussian points against Gaussian points" in said
    assert "1 × std 0.5" in said
    records = json.loads((folder / "out" / "results.json").read_text())["runs"]
    found = {r["mask"]: r for r in records}
    assert found["tuned_gaussian"]["chosen"] == {"std": 0.5}
    assert "chosen" not in found["gaussian"]
    assert all(r["regularization"] in (0.001, 0.003) for r in records)


def test_the_mask_of_the_unet_is_given_to_the_others(script, folder):
    settings = xpdnet.PRESETS["smoke"]
    run = script.Run(1, 4.0, "unet_points", "varnet", 1, 3)
    with pytest.raises(ValueError, match="C1-R4-points-unet-seed3.npz"):
        script.given_mask(run, {"iterations": [5]}, (16, 16), folder)
    mask = masks.gaussian((16, 16), 4, seed=1)
    (folder / "masks").mkdir()
    mask.save(folder / "masks" / "C1-R4-points-unet-seed3.npz")
    model = script.build_model(run, settings, (16, 16, 1), folder)
    np.testing.assert_array_equal(
        loupe_tf.masks.from_model(model).array, mask.array
    )


def test_networks_have_noise_with_several_coils(script):
    options = "--masks gaussian points --networks zero_filled unet --coils 1 2"
    arguments = [*options.split(), "--noises", "0", "0.02"]
    runs = script.grid(xpdnet.parse("Title.\n\nText.", arguments))
    assert [run.name for run in runs] == [
        "C1-R4-gaussian-unet-seed0",
        "C1-R4-gaussian-zero_filled-seed0",
        "C1-R4-gaussian-zero_filled-noise0.02-seed0",
        "C1-R4-points-unet-seed0",
        "C2-R4-gaussian-unet-seed0",
        "C2-R4-gaussian-unet-noise0.02-seed0",
        "C2-R4-gaussian-zero_filled-seed0",
        "C2-R4-gaussian-zero_filled-noise0.02-seed0",
        "C2-R4-points-unet-seed0",
        "C2-R4-points-unet-noise0.02-seed0",
    ]


def test_the_mask_of_modl_is_given_to_methods_that_learn_nothing(
    script, folder
):
    """It is that of the network with the most iterations and the same noise."""
    settings = {"iterations": [1, 5]}
    run = script.Run(8, 4.0, "modl_lines", "total_variation", 0, 3, 0.01)
    with pytest.raises(ValueError, match="C8-R4-lines-modl5-noise0.01-seed3"):
        script.given_mask(run, settings, (16, 16), folder)
    mask = masks.random_lines((16, 16), 4, seed=1)
    (folder / "masks").mkdir()
    mask.save(folder / "masks" / "C8-R4-lines-modl5-noise0.01-seed3.npz")
    found = script.given_mask(run, settings, (16, 16), folder)
    np.testing.assert_array_equal(found.array, mask.array)


def test_the_noise_of_a_network(script, rng):
    """Weak images have as much as strong ones."""
    images = rng.uniform(size=(4, 16, 16, 1)).astype("float32")
    images[2:] *= 0.01
    part = types.SimpleNamespace(images=images)
    runs = [
        script.Run(2, 4.0, "points", "modl", 1, 0, noise) for noise in (0, 0.1)
    ]
    (clean, _), (noisy, maps) = (script.measure(part, run, 0) for run in runs)
    assert noisy.dtype == "float32" and maps.shape[1] == 2
    deviations = np.std(noisy - clean, axis=(1, 2, 3, 4))
    np.testing.assert_allclose(deviations, 0.1, rtol=0.1)


def test_the_grid(script):
    arguments = ["--preset", "cpu", "--seeds", "0", "1"]
    arguments += ["--masks", *script.MASKS]
    settings = xpdnet.parse("Title.\n\nText.", arguments)
    runs = script.grid(settings)
    names = [run.name for run in runs]
    assert len(set(names)) == len(names)
    cells = {run.cell for run in runs}
    assert len(runs) == 2 * len(cells)
    for cell in cells:
        # Masks exist before they are given to another network.
        if cell.mask in script.TAKEN:
            network = script.TAKEN[cell.mask]
            count = 5 if network == "modl" else 0
            mask = cell.mask.removeprefix(f"{network}_")
            source = script.Run(*cell[:2], mask, network, count, 0)
            own = script.Run(**cell._asdict(), seed=0)
            assert names.index(source.name) < names.index(own.name)
        if cell.network in script.CLASSICAL:
            assert cell.mask not in script.LEARNED
        if cell.network == "grappa":
            assert cell.coils > 1
            assert cell.mask not in ("unet_points", "modl_points")
        if cell.mask in ("modl_lines", "modl_points"):
            assert cell.network in script.CLASSICAL
        if cell.mask in script.TUNED:
            assert cell.network in ("wavelet_l1", "total_variation")
        if cell.mask != "points":
            assert cell.iterations in (0, 5)


@pytest.mark.parametrize(
    "others, said",
    [
        (("--masks", "no_such_mask"), "no_such_mask"),
        (("--iterations", "2"), "--iterations: expected some of 1, 3, 5"),
        (("--coils", "0"), "--coils"),
        (("--epochs", "0"), "--epochs"),
    ],
)
def test_refuses_wrong_options(capsys, others, said):
    with pytest.raises(SystemExit) as stop:
        xpdnet.parse("Title.\n\nText.", ["--preset", "cpu", *others])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
