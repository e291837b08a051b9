import json

import numpy as np
import pytest

import loupe_tf
from experiments.presets import shine


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_shine.py")


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    arguments = ["--data", str(folder / "data"), "--out", str(folder / "out")]
    assert script.main(arguments) == 0
    said = capsys.readouterr().out
    assert "SHINE against the exact gradient" in said
    assert "time of the exact gradient" in said
    records = json.loads((folder / "out" / "results.json").read_text())["runs"]
    assert [r["method"] for r in records] == ["exact", "shine", "unrolled"]
    for record in records:
        assert not record["diverged"] and record["test"]["unit_range"]
        assert set(record["tested"]) == {"8"}
        assert record["milliseconds"] > 0
    for name in ("time", "iterations"):
        assert (folder / "out" / f"{name}.png").exists()
    assert len({record["parameters"] for record in records}) == 1

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)
    assert script.main(arguments) == 0
    assert script.main(["--report", "--out", str(folder / "out")]) == 0
    assert "PSNR at 8" in capsys.readouterr().out


def test_the_grid(script):
    settings = shine.parse("Title.\n\nText.", ["--preset", "cpu"])
    names = [run.name for run in script.grid(settings)]
    assert len(set(names)) == len(names) == 2 * 2 * 6
    assert names[0] == "F2-K3-unrolled-seed0"


def test_networks_of_as_many_weights_only_one_of_which_contracts(script):
    distances = {}
    for kind in shine.NETWORKS:
        arguments = ["--preset", "cpu", "--network", kind]
        settings = shine.parse("Title.\n\nText.", arguments)
        run = script.grid({**settings, "filters": [4]})[0]
        network = script.build_network(run, settings)
        for weight in network.trainable_weights:
            weight.assign(10 * weight)
        images = np.random.default_rng(0).normal(size=(2, 8, 8, 2))
        # The estimate of the norm moves in each.
        for _ in range(20):
            network(images, training=True)
        one, other = np.asarray(network(images))
        change = np.linalg.norm(one - other) / np.linalg.norm(
            images[0] - images[1]
        )
        weights = sum(np.prod(w.shape) for w in network.trainable_weights)
        distances[kind] = int(weights), float(change)
    bounded, free = (distances[kind] for kind in shine.NETWORKS)
    assert bounded[0] == free[0]
    assert bounded[1] < 1 < free[1]


def record(method, seed, psnr, tested, filters=8, iterations=10):
    """What a run of one patient leaves, of a volume with that PSNR."""

    def metrics(value):
        found = {"psnr": value, "ssim": 0.9, "mse": 0.01}
        return {"unit_range": {f"volume_{seed}": found}}

    return {
        "filters": filters,
        "iterations": iterations,
        "method": method,
        "seed": seed,
        "fold": seed,
        "patients": {f"volume_{seed}": f"patient_{seed}"},
        "parameters": 9,
        "epochs": 1,
        "seconds": 1.0,
        "diverged": False,
        "milliseconds": 2.0,
        "gradient_milliseconds": 1.0,
        "processor_milliseconds": 1.0 if method == "exact" else 0.25,
        "test": metrics(psnr),
        "tested": {n: metrics(value) for n, value in tested.items()},
    }


def test_findings(script):
    """Gradients against the exact one, and longer searches."""
    records = [
        record(method, seed, psnr + seed, {"5": psnr - 1, "20": psnr + longer})
        for seed in (0, 1, 2)
        for method, psnr, longer in (
            ("unrolled", 29.0, -5.0),
            ("exact", 30.0, 0.0),
            ("shine", 29.9, 0.0),
        )
    ]
    for each in records:
        for found in each["tested"].values():
            for volume in found["unit_range"].values():
                volume["psnr"] += each["seed"]
    found = script.results(records, None)
    ((_, rows),) = found["tables"].values()
    gains = {
        what.removeprefix("8 filters, 10 iterations: "): float(gain.split()[0])
        for _, what, gain, _ in rows
    }
    assert gains == {
        "unrolled against the exact gradient": -1.0,
        "SHINE against the exact gradient": -0.1,
        "unrolled, 20 in the test against 10": -5.0,
        "exact gradient, 20 in the test against 10": 0.0,
        "SHINE, 20 in the test against 10": 0.0,
    }
    assert any("SHINE takes 0.25 of the" in x for x in found["sentences"])
    for name, panels in ("time", 1), ("iterations", 1):
        figure, _ = found["figures"][name]
        assert len(figure.axes) == panels
    places = {
        bars.get_label(): float(bars.lines[0].get_ydata()[0])
        for bars in found["figures"]["time"][0].axes[0].containers
    }
    assert places["exact gradient"] == 0
    np.testing.assert_allclose(places["SHINE"], -0.1)
    lines = found["figures"]["iterations"][0].axes[0].lines
    assert not any("SHINE" in x.get_label() for x in lines)
    curve = next(x for x in lines if x.get_label() == "unrolled, 10")
    assert list(curve.get_xdata()) == [5, 10, 20]
    assert list(curve.get_ydata()) == [29.0, 30.0, 25.0]


def test_a_diverged_run_is_left_out(script):
    lost = record("exact", 0, 30.0, {"20": 30.0})
    lost |= {"diverged": True, "test": {}, "tested": {}}
    for name in ("milliseconds", "gradient_milliseconds"):
        del lost[name]
    found = script.results([lost], None)
    assert found["figures"]["time"][0] is None
    assert found["figures"]["iterations"][0] is None


@pytest.mark.parametrize(
    "others, said",
    [
        (("--methods", "newton"), "newton"),
        (("--iterations", "0"), "--iterations"),
        (("--tested", "0"), "--tested"),
        (("--epochs", "0"), "--epochs"),
        (("--images", "3"), "--images"),
    ],
)
def test_refuses_wrong_options(capsys, others, said):
    with pytest.raises(SystemExit) as stop:
        shine.parse("Title.\n\nText.", ["--preset", "cpu", *others])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
