import json

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
    assert "of the time of the exact gradient" in said
    records = json.loads((folder / "out" / "results.json").read_text())["runs"]
    assert [r["method"] for r in records] == ["unrolled", "exact", "shine"]
    for record in records:
        assert not record["diverged"] and record["test"]["unit_range"]
        assert set(record["tested"]) == {"8"}
        assert record["milliseconds"] > 0
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
    assert names[0] == "F4-K5-unrolled-seed0"


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
