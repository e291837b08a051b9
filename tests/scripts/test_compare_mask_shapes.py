import json

import numpy as np
import pytest

import loupe_tf
from experiments.presets.comparing_masks import TRAINING
from loupe_tf import evaluation, masks


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("compare_mask_shapes.py")


@pytest.fixture
def small(script, monkeypatch):
    shapes = {name: script.SHAPES[name] for name in ("points", script.NESTED)}
    monkeypatch.setattr(script, "SHAPES", shapes)
    return script


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--epochs", "1", "1", "--filters", "2", "--depth", "1"),
        *others,
    ]


def _results(folder):
    return json.loads((folder / "out" / "results.json").read_text())


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    small, folder, capsys, monkeypatch
):
    models = {}
    real = small.build_model

    def build(run, *arguments):
        models[run.name] = real(run, *arguments)
        return models[run.name]

    monkeypatch.setattr(small, "build_model", build)
    assert small.main(_arguments(folder)) == 0
    first = capsys.readouterr().out
    records = {r["shape"]: r for r in _results(folder)["runs"] if r["seed"] < 1}
    assert set(records[small.NESTED]["results"]) == {"4", "8"}
    assert len(_results(folder)["runs"]) == 3
    pictures = {path.stem for path in (folder / "out").glob("*.png")}
    assert pictures == {
        *("masks_R4", "masks_R8", "reconstructions_R4", "reconstructions_R8")
    }

    # One figure of the nested masks is that of the model at its R.
    splits, _ = loupe_tf.datasets.load_splits(str(folder / "data"))
    test = splits["test"]
    model = models["nested_points-Rall-seed0"]
    found = records[small.NESTED]["results"]
    for number, rate in enumerate(("4", "8")):
        inputs = [test.images, np.full(len(test.images), number)]
        expected = evaluation.per_volume(
            test.images, model.predict(inputs, verbose=0), test.volumes
        )
        assert found[rate]["acquired"] == 256 // int(rate)
        for volume, values in expected.items():
            assert found[rate]["volumes"][volume] == pytest.approx(
                values, rel=1e-4
            )
    inside, outside = (
        np.load(folder / "out/images/nested_points-Rall-seed0.npz")[name]
        for name in ("mask_8", "mask_4")
    )
    assert inside.sum() == 32 and outside.sum() == 64
    assert not (inside & ~outside).any()

    def refuse(*_):
        raise AssertionError("a finished run was repeated")

    monkeypatch.setattr(small, "train", refuse)
    assert small.main(_arguments(folder)) == 0
    assert capsys.readouterr().out == first


@pytest.mark.slow
def test_a_run_that_diverges_is_reported(small, folder, capsys, monkeypatch):
    real = small.build_model

    def diverging(run, *arguments):
        model = real(run, *arguments)
        if run.acceleration == 8:
            model.optimizer.learning_rate = float("nan")
        return model

    monkeypatch.setattr(small, "build_model", diverging)
    assert small.main(_arguments(folder)) == 0
    bad = {
        run["acceleration"]: run["diverged"] for run in _results(folder)["runs"]
    }
    assert bad == {4.0: False, 8.0: True, None: False}


@pytest.mark.parametrize(
    "shape, acquired, calibration",
    [
        ("points", 280, 2),
        ("half-plane", 280, 2),
        ("columns", 14, 4),
        ("rows", 5, 2),
        ("rows and columns", 280, None),
    ],
)
def test_budget_and_calibration(script, shape, acquired, calibration):
    settings = {**TRAINING["smoke"], "depth": 1}
    run = script.Run(shape, 4.0, 1)
    model = script.build_model(run, settings, (20, 56, 1))
    mask = masks.from_model(model)
    assert abs(mask.acquired - acquired) <= 5 * (shape == "rows and columns")
    array = mask.array
    if shape == "half-plane":
        array = array | masks.mirrored(array)
    else:
        assert calibration is None or mask.calibration == calibration
    rows, columns = (
        slice(n // 2 - 1, n // 2 + 1) if n > 1 else slice(None)
        for n in array.shape
    )
    assert array[rows, columns].all()


def test_nested_masks_have_the_calibration_of_the_smallest(script):
    settings = {**TRAINING["smoke"], "depth": 1}
    run = script.Run(script.NESTED, None, 0)
    model = script.build_model(run, settings, (64, 64, 1))
    assert [m.calibration for m in masks.from_model(model)] == [3, 3]
    single = script.parse(script.__doc__, ["--accelerations", "4"])
    assert script.NESTED not in {run.shape for run in script.grid(single)}


def _record(shape, seed, rate=4.0, **psnr):
    return {
        "shape": shape,
        "acceleration": None if len(psnr) > 1 else rate,
        "seed": seed,
        "epochs": 10 + seed,
        "results": {
            name.removeprefix("R"): {
                "acquired": 64,
                "slope": 20.0,
                "volumes": x
                and {"v": {"psnr": x, "ssim": 0.5 + seed / 10, "nmse": 0.1}},
            }
            for name, x in psnr.items()
        },
    }


def test_table_and_sentences(script):
    cells = script.by_cell(
        [
            _record("columns", 0, R4=20.0),
            _record("points", 1, R4=26.0),
            _record("points", 0, R4=24.0),
            _record(script.NESTED, 0, R4=23.0, R8=21.0),
            _record("columns", 1, R4=None),
        ]
    )
    header, rows = script.table(cells)
    assert all(len(row) == len(header) for row in rows)
    assert [row[:2] for row in rows] == [
        ["4", "points"],
        ["4", "columns"],
        ["4", script.NESTED],
        ["8", script.NESTED],
    ]
    points, columns, _, alone = rows
    assert points[2:4] == ["25.00 ± 1.00", "0.5500 ± 0.0500"]
    assert points[5:] == ["-", "64", "10 ± 0", "2", "0"]
    assert columns[2] == "20.00" and columns[5] == "-4.00"
    assert columns[-2:] == ["2", "1"]
    assert alone[5] == "-"
    sentences = script.experiments.verdicts(
        script.claims(cells), script.volumes_of
    )
    assert len(sentences) == 2
    assert "columns against points -4.00 dB on one test volume" in sentences[0]


def test_folds_have_an_interval_over_patients(script, tmp_path):
    records = []
    for fold, columns in enumerate((-2.0, -2.1, -2.2)):
        for shape, psnr in ("points", 30.0), ("columns", 30.0 + columns):
            record = _record(shape, 100 * fold, R4=psnr)
            result = record["results"]["4"]
            result["volumes"] = {f"v{fold}": result["volumes"]["v"]}
            patients = {f"v{fold}": f"patient{fold}"}
            records.append({**record, "fold": fold, "patients": patients})
    found = script.results(records, tmp_path)
    (_, rows), _ = found["tables"].values()
    assert rows[0][:3] == [
        "4",
        "columns against points",
        "-2.10 [-2.35, -1.85]",
    ]
    assert rows[0][3].startswith("worse (detectable: ")
    assert found["sentences"] == []
