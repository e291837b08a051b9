import json

import pytest

from loupe_tf import masks


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("compare_defaults.py")


@pytest.fixture
def small(script, monkeypatch):
    monkeypatch.setattr(script, "SLOPES", {"relaxed": [5.0, 20.0]})
    monkeypatch.setattr(script, "LINES", ("columns",))
    monkeypatch.setattr(script, "REGIONS", {"none": 0.0, "whole": 1.0})
    return script


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--epochs", "1", "1", "--filters", "2", "--depth", "1"),
        *("--sizes", "16", *others),
    ]


def test_leaves_everything_and_repeats_no_run(
    small, folder, capsys, monkeypatch
):
    first = _arguments(folder, "--slopes", "20")
    assert small.main(first) == 0
    printed = capsys.readouterr().out
    assert "region none, s = 20: " in printed
    results = json.loads((folder / "out/results.json").read_text())
    assert {run["region"] for run in results["runs"]} == {"none", "whole"}
    for run in results["runs"]:
        assert run["acquired"] == 4
        assert run["slopes"][0] == 20
        assert set(run["results"]) == {"validation", "test"}
        whole = round(0.32 / 4 * 16)
        assert run["calibration"] == {"whole": whole}.get(run["region"])
    assert (folder / "out/psnr.png").read_bytes().startswith(b"\x89PNG")

    def refuse(*_):
        raise AssertionError("a finished run was repeated")

    monkeypatch.setattr(small, "train", refuse)
    assert small.main(first) == 0
    assert capsys.readouterr().out == printed


def test_images_smaller_than_asked_for_are_refused(small, folder, capsys):
    assert small.main(_arguments(folder)[:-1] + ["64"]) == 2
    error = capsys.readouterr().err
    assert "--sizes" in error and "(16, 16)" in error


def test_grid(script):
    settings = script.parse(script.__doc__, [])
    runs = script.grid({**settings, "seeds": [0, 1]})
    assert len({run.name for run in runs}) == len(runs) == 2 * 2 * 11
    for run in runs:
        model = script.build_model(run, {**settings, "depth": 1}, (64, 64, 1))
        mask = masks.from_model(model)
        assert (mask.slope, mask.calibration) == (run.slope, run.calibration)
        if run.seed == 0 and run.region == "whole":
            break


def _record(seed, slope, region="whole", **psnr):
    return {
        **{"size": 64, "acceleration": 4.0, "lines": None},
        **{"estimator": "relaxed", "region": region, "slope": slope},
        **{"seed": seed, "calibration": 5 if region == "whole" else None},
        "results": {split: {"v": {"psnr": x}} for split, x in psnr.items()},
    }


def test_table_and_sentences(small):
    cells = small.by_cell(
        [
            _record(1, 20.0, validation=32.0, test=33.0),
            _record(0, 20.0, validation=30.0, test=31.0),
            _record(0, 5.0, validation=29.0, test=28.0),
            _record(0, 5.0, "none", validation=27.0, test=26.0),
            _record(0, 20.0, "none"),  # Diverged.
        ]
    )
    header, rows = small.table(cells, "relaxed", "validation")
    assert header[4:6] == ["s = 5", "s = 20"]
    assert rows == [
        ["64", "4", "points", "none (0)", "27.00", "-", "1"],
        ["64", "4", "points", "whole (5)", "29.00", "31.00 ± 1.00", "1–2"],
    ]
    none, whole = small.verdicts(cells)
    assert "64×64, relaxed, region none, s = 5: -3.00 dB (-3.00" in none
    assert "region whole, s = 5: -1.00 dB" in whole and "over 1 pairs" in whole
