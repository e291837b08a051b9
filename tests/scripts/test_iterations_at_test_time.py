import json

import numpy as np
import pytest

import loupe_tf
from experiments.implicit_networks import NETWORKS, build_network
from experiments.presets import iterations_at_test_time


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("iterations_at_test_time.py")


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    arguments = ["--data", str(folder / "data"), "--out", str(folder / "out")]
    assert script.main(arguments) == 0
    said = capsys.readouterr().out
    assert "free, 2 filters, 3 iterations: 2 epochs of the equilibrium" in said
    records = json.loads((folder / "out" / "results.json").read_text())["runs"]
    assert len(records) == 2 * 2
    for record in records:
        assert not record["diverged"] and record["test"]["unit_range"]
        assert set(record["tested"]) == {"8"}
        assert len(record["trace"]["loss"]) == record["epochs"]
        step = record["step_processor_milliseconds"]
        assert 0 < record["prediction_milliseconds"] < step
    assert (folder / "out" / "iterations.png").exists()
    assert len({record["parameters"] for record in records}) == 1

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)
    assert script.main(arguments) == 0
    assert script.main(["--report", "--out", str(folder / "out")]) == 0
    assert "PSNR at 8" in capsys.readouterr().out


def test_the_grid(script):
    settings = iterations_at_test_time.parse("A.\n\nB.", ["--preset", "cpu"])
    names = [run.name for run in script.grid(settings)]
    assert len(set(names)) == len(names) == 2**4
    assert names[0] == "contracting-F8-E4-K3-unrolled-seed0"


def test_networks_of_as_many_weights_only_one_of_which_contracts():
    distances = {}
    settings = iterations_at_test_time.PRESETS["cpu"]
    for kind in NETWORKS:
        network = build_network(kind, 4, settings)
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
    bounded, free = (distances[kind] for kind in NETWORKS)
    assert bounded[0] == free[0]
    assert bounded[1] < 1 < free[1]


def test_a_seed_gives_the_same_weights(script):
    """The methods begin alike, whatever was drawn before."""
    settings = iterations_at_test_time.PRESETS["cpu"]
    first = [
        script.build_model(
            script.Run("free", 2, 1, 2, method, 3), settings, (8, 8, 1)
        ).trainable_weights
        for method in ("unrolled", "equilibrium", "unrolled")
    ]
    for weights in first[1:]:
        for one, other in zip(first[0], weights, strict=True):
            one, other = np.asarray(one), np.asarray(other)
            np.testing.assert_array_equal(one, other)


def record(method, seed, psnr, epochs=4, **tested):
    """What a run of one patient leaves, of a volume with that PSNR."""

    def metrics(value):
        found = {"psnr": value + seed, "ssim": 0.9, "mse": 0.01}
        return {"unit_range": {f"volume_{seed}": found}}

    return {
        "network": "free",
        "filters": 8,
        "epochs": epochs,
        "iterations": 10,
        "method": method,
        "seed": seed,
        "fold": seed,
        "patients": {f"volume_{seed}": f"patient_{seed}"},
        "parameters": 9,
        "seconds": 1.0,
        "diverged": False,
        "training_seconds": 2.0 * epochs if method == "unrolled" else epochs,
        "prediction_milliseconds": 1.0,
        "test": metrics(psnr),
        "tested": {n.strip("n"): metrics(x) for n, x in tested.items()},
    }


def test_findings(script):
    """Longer searches, and both methods for as much time of training."""
    records = [
        each
        for seed in (0, 1, 2)
        for each in (
            record("unrolled", seed, 29.0, n5=28.0, n20=24.0),
            record("equilibrium", seed, 28.5, n5=28.0, n20=28.6),
            record("equilibrium", seed, 29.5, 8, n5=29.0, n20=29.5),
        )
    ]
    found = script.results(records, None)
    ((_, rows),) = found["tables"].values()
    subject = "free, 8 filters, 10 iterations: "
    gains = {
        what.removeprefix(subject): float(gain.split()[0])
        for _, what, gain, _ in rows
    }
    against = "of the equilibrium against 4 of the unrolled network"
    assert gains == {
        "unrolled after 4 epochs, 20 in the test against 10": -5.0,
        "equilibrium after 4 epochs, 20 in the test against 10": 0.1,
        "equilibrium after 8 epochs, 20 in the test against 10": 0.0,
        f"4 epochs {against}, 0.50 of its time": -0.5,
        f"8 epochs {against}, 1.00 of its time": 0.5,
    }
    figure, _ = found["figures"]["iterations"]
    (ax,) = figure.axes
    curve = next(
        x for x in ax.lines if x.get_label() == "unrolled, 10, 4 epochs"
    )
    assert list(curve.get_xdata()) == [5, 10, 20]
    np.testing.assert_allclose(curve.get_ydata(), [29.0, 30.0, 25.0])


def test_a_diverged_run_is_left_out(script):
    lost = record("equilibrium", 0, 30.0, n20=30.0)
    lost |= {"diverged": True, "test": {}, "tested": {}}
    del lost["training_seconds"]
    found = script.results([lost], None)
    assert found["figures"]["iterations"][0] is None


@pytest.mark.parametrize(
    "others, said",
    [
        (("--methods", "newton"), "newton"),
        (("--networks", "large"), "large"),
        (("--iterations", "0"), "--iterations"),
        (("--tested", "0"), "--tested"),
        (("--epochs", "0"), "--epochs"),
        (("--images", "3"), "--images"),
    ],
)
def test_refuses_wrong_options(capsys, others, said):
    with pytest.raises(SystemExit) as stop:
        iterations_at_test_time.parse("A.\n\nB.", ["--preset", "cpu", *others])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
