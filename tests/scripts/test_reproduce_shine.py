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
        assert record["milliseconds"] > 0
    assert (folder / "out" / "time.png").exists()
    assert len({record["parameters"] for record in records}) == 1

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)
    assert script.main(arguments) == 0
    assert script.main(["--report", "--out", str(folder / "out")]) == 0
    assert "gradient [ms]" in capsys.readouterr().out


def test_the_grid(script):
    settings = shine.parse("Title.\n\nText.", ["--preset", "cpu"])
    names = [run.name for run in script.grid(settings)]
    assert len(set(names)) == len(names) == 2 * 6
    assert names[0] == "F2-K10-unrolled-seed0"


def record(method, seed, psnr, filters=8, iterations=10):
    """What a run of one patient leaves, of a volume with that PSNR."""

    metrics = {"psnr": psnr, "ssim": 0.9, "mse": 0.01}
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
        "test": {"unit_range": {f"volume_{seed}": metrics}},
    }


def test_findings(script):
    """Gradients against the exact one, in images and in time."""
    records = [
        record(method, seed, psnr + seed)
        for seed in (0, 1, 2)
        for method, psnr in (
            ("unrolled", 29.0),
            ("exact", 30.0),
            ("shine", 29.9),
        )
    ]
    found = script.results(records, None)
    ((_, rows),) = found["tables"].values()
    gains = {
        what.removeprefix("8 filters, 10 iterations: "): float(gain.split()[0])
        for _, what, gain, _ in rows
    }
    assert gains == {
        "unrolled against the exact gradient": -1.0,
        "SHINE against the exact gradient": -0.1,
    }
    assert any("SHINE takes 0.25 of the" in x for x in found["sentences"])
    figure, _ = found["figures"]["time"]
    places = {
        bars.get_label(): float(bars.lines[0].get_ydata()[0])
        for bars in figure.axes[0].containers
    }
    assert places["exact gradient"] == 0
    np.testing.assert_allclose(places["SHINE"], -0.1)


def test_a_diverged_run_is_left_out(script):
    lost = record("exact", 0, 30.0) | {"diverged": True, "test": {}}
    for name in ("milliseconds", "gradient_milliseconds"):
        del lost[name]
    found = script.results([lost], None)
    assert found["figures"]["time"][0] is None


@pytest.mark.parametrize(
    "others, said",
    [
        (("--methods", "newton"), "newton"),
        (("--iterations", "0"), "--iterations"),
        (("--epochs", "0"), "--epochs"),
        (("--images", "3"), "--images"),
    ],
)
def test_refuses_wrong_options(capsys, others, said):
    with pytest.raises(SystemExit) as stop:
        shine.parse("Title.\n\nText.", ["--preset", "cpu", *others])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
