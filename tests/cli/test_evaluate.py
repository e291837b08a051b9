import json
import os

import numpy as np
import pytest

import loupe_tf.datasets
from loupe_tf import cli, evaluation, masks, reconstruction
from loupe_tf.cli.evaluating import report
from loupe_tf.cli.evaluating import rows as cells
from loupe_tf.cli.phase import images_of
from loupe_tf.numpy_fourier import fft2c, ifft2c
from loupe_tf.reconstruction.network import load_model
from loupe_tf.run_folder import RunFolder

# Networks run on a few slices each; tests/test_publishing.py draws a report.
pytestmark = pytest.mark.usefixtures("eager", "undrawn")


def run(arguments):
    return cli.main(["evaluate", *arguments])


@pytest.fixture
def folder(tmp_path, rng):
    """Volumes of two 16×16 slices, two of them for the test."""
    (tmp_path / "data").mkdir()
    for i in range(16):
        volume = rng.uniform(size=(2, 16, 16)).astype("float32")
        np.save(tmp_path / "data" / f"volume_{i}.npy", volume)
    return tmp_path


@pytest.fixture
def save_model(folder):
    def save(name, size=16, **options):
        path = folder / name
        loupe_tf.models.loupe_model(
            (size, size, 1), **options, filters=2, depth=1, seed=0
        ).save(path)
        return str(path)

    return save


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *others,
    ]


def _results(folder):
    return json.loads((folder / "out" / "results.json").read_text())["runs"]


def _sentences(folder):
    """What the report says beside the table."""
    results = json.loads((folder / "out" / "results.json").read_text())
    return results["verdicts"]


def test_patterns_files_and_models(folder, save_model, capsys, monkeypatch):
    model = save_model("model.keras", acceleration=4)
    own = loupe_tf.masks.gaussian((16, 16), 4, seed=7)
    own.save(folder / "mask.npz")
    mask = str(folder / "mask.npz")
    arguments = _arguments(
        folder,
        *("--mask", "random_lines", "spectrum", mask, model),
        *("--reconstructor", "zero_filled", model),
        *("--acceleration", "4", "2"),
    )
    assert run(arguments) == 0
    first = capsys.readouterr().out
    rows = _results(folder)
    # The files have R = 4: they stand with the patterns of that R, once.
    found = [(row["rate"], row["reconstructor"], row["mask"]) for row in rows]
    expected = [
        (rate, reconstructor, name)
        for rate in (2, 4)
        for reconstructor in ("zero_filled", model)
        for name in ["random_lines", "spectrum"] + [mask, model] * (rate == 4)
    ]
    assert found == expected
    for row in rows:
        acquired, size = row["acquired"]
        assert acquired == round(size / row["rate"])
        assert len(row["unit_range"]) == len(row["fastmri"]) == 2
        assert (row["difference"] is None) == (row["mask"] == "random_lines")
    out = folder / "out"
    assert len([*(out / "runs").glob("*.json")]) == len(rows)
    assert (out / "report.html").read_text().count("<img") == 1 + 4

    # The model on its own mask is what `evaluate` of Keras says it is.
    data, _ = loupe_tf.datasets.load_splits(str(folder / "data"))
    test = data["test"]
    trained = load_model(model)
    expected = evaluation.per_volume(
        test.images, trained.predict(test.images, verbose=0), test.volumes
    )
    for volume, values in rows[-1]["unit_range"].items():
        assert values == pytest.approx(expected[volume], rel=1e-3)

    def refuse(*_):
        raise AssertionError("a finished row was repeated")

    monkeypatch.setattr(cells, "evaluate_cell", refuse)
    assert run(arguments) == 0
    assert capsys.readouterr().out == first


def test_a_file_that_changed_is_reported_as_it_is_now(folder):
    """Also where the digest of an earlier content is the last in order."""
    path = folder / "mask.npz"
    arguments = _arguments(folder, "--mask", str(path))
    for rate in (8, 2, 4):
        masks.random_lines((16, 16), rate, seed=0).save(path)
        assert run(arguments) == 0
        (row,) = _results(folder)
        assert row["acquired"] == [16 // rate, 16]
    assert len([*(folder / "out" / "runs").glob("*.json")]) == 3
    # Each of the earlier contents still has its row.
    masks.random_lines((16, 16), 8, seed=0).save(path)
    assert run(arguments) == 0
    (row,) = _results(folder)
    assert row["acquired"] == [2, 16]
    # The same file, moved: its row is there, under the new name.
    (folder / "other").mkdir()
    moved = path.rename(folder / "other" / path.name)
    assert run(_arguments(folder, "--mask", str(moved))) == 0
    (row,) = _results(folder)
    assert row["mask"] == str(moved) and row["acquired"] == [2, 16]
    assert len([*(folder / "out" / "runs").glob("*.json")]) == 3


def test_lines_made_for_another_readout_are_named(folder):
    mask = loupe_tf.masks.random_lines((32, 16), 4, seed=0)
    mask.save(folder / "longer.npz")
    arguments = _arguments(folder, "--mask", str(folder / "longer.npz"))
    match = "for a matrix of 32×16, but k-space has 16×16"
    with pytest.warns(UserWarning, match=match):
        assert run(arguments) == 0
    (row,) = _results(folder)
    assert not row["error"] and row["acquired"] == [4, 16]


def test_the_regularization_is_recorded(folder, monkeypatch):
    pytest.importorskip("sigpy")
    asked = []

    def tune(method, mask, images, **options):
        asked.append((method, len(images), options))
        return real(method, mask, images, [0.01, 0.1], **options)

    real = evaluation.tune
    monkeypatch.setattr(evaluation, "tune", tune)
    arguments = ["--mask", "random_lines", "--reconstructor", "wavelet_l1"]
    assert run(_arguments(folder, *arguments, "--tuning-slices", "1")) == 0
    # Of the two validation volumes, not of the test.
    assert asked == [("wavelet_l1", 4, {"slices": 1})]
    (row,) = _results(folder)
    scores = row["regularization_psnr"]
    assert set(scores) == {"0.01", "0.1"}
    assert f"{row['regularization']:g}" == max(scores, key=scores.get)


def test_bad_rows_say_why_and_others_come_out(folder, save_model, capsys):
    other = save_model("other.keras", size=20, acceleration=4)
    masks.uniform_random((20, 20), 4).save(folder / "other.npz")
    (folder / "damaged.npz").write_bytes(b"no mask")
    (folder / "damaged.keras").write_bytes(b"no model")
    bad = [str(folder / n) for n in ("other.npz", "damaged.npz")]
    networks = [other, str(folder / "damaged.keras")]
    arguments = _arguments(
        folder,
        *("--mask", "gaussian", *bad, "--reconstructor", "zero_filled"),
        *networks,
    )
    assert run(arguments) == 2
    rows = {(r["mask"], r["reconstructor"]): r for r in _results(folder)}
    assert rows["gaussian", "zero_filled"]["error"] is None
    assert len(rows["gaussian", "zero_filled"]["unit_range"]) > 0
    for key, text in {
        (bad[0], "zero_filled"): "(16, 16)",
        (bad[1], "zero_filled"): "damaged.npz. Expected arrays",
        ("gaussian", networks[0]): "(20, 20)",
        ("gaussian", networks[1]): "Keras can load",
    }.items():
        assert text in rows[key]["error"]
        assert rows[key]["error"] in " ".join(_sentences(folder))
    captured = capsys.readouterr()
    assert "rows or volumes were not judged" in captured.err
    assert "nan" not in captured.out.lower()


def test_a_model_with_a_phase_is_judged_with_one(folder, capsys):
    model = str(folder / "model.keras")
    loupe_tf.models.loupe_model(
        (16, 16, 2), acceleration=2, reconstructor="zero_filled", seed=0
    ).save(model)
    rows = ("--mask", model, "--reconstructor", model, "zero_filled")
    others = _arguments(folder, *rows, "--phase", "--seed", "3")
    assert run(others) == 0
    assert "a simulated phase of 1 rad" in capsys.readouterr().out
    network, zero_filled = (r["unit_range"] for r in _results(folder))
    # By hand: the test volumes of that seed, with the phases of that seed.
    splits, _ = loupe_tf.datasets.load_splits(str(folder / "data"), seed=3)
    inputs = images_of(splits, 1.0, 3)["test"]
    mask = masks.from_model(load_model(model)).array
    kspace = fft2c(inputs @ np.array([1, 1j]))
    filled = np.abs(ifft2c(np.where(mask, kspace, 0)))[..., None]
    test = splits["test"]
    expected = evaluation.per_volume(test.images, filled, test.volumes)
    assert list(network) == list(zero_filled) == list(expected)
    for volume, values in expected.items():
        for found in (network, zero_filled):
            assert found[volume]["psnr"] == pytest.approx(values["psnr"], 1e-4)
    # A folder belongs to one phase, and a phase is a number of at least 0.
    assert run(_arguments(folder, *rows, "--seed", "3")) == 2
    assert "--phase 1.0" in capsys.readouterr().err
    assert run(_arguments(folder, *rows, "--phase", "-1")) == 2
    assert "--phase" in capsys.readouterr().err


def test_nothing_is_chosen_on_test_volumes(folder, monkeypatch):
    splits, _ = loupe_tf.datasets.load_splits(str(folder / "data"))
    settings = {"calibration": 2, "seed": 5, "tuning_slices": 1, "lines": None}
    seen = {}

    def spy(module, name):
        function = getattr(module, name)

        def call(*args, **options):
            seen[name] = args, options
            return function(*args, **options)

        monkeypatch.setattr(module, name, call)

    spy(masks, "fixed_mask")
    spy(evaluation, "tune")
    cells.evaluate_cell(
        cells.Cell("spectrum", "wavelet_l1", 4.0),
        settings,
        splits,
        {name: {} for name in splits},
        RunFolder(folder / "out"),
    )
    (name, images, *others), _ = seen["fixed_mask"]
    assert (name, others) == ("spectrum", [4.0, 2, 5])
    np.testing.assert_array_equal(images, splits["train"].images)
    (_, _, images), options = seen["tune"]
    np.testing.assert_array_equal(images, splits["validation"].images)
    assert options == {"slices": 1}


def test_the_rate_of_a_file_is_the_one_whose_budget_it_meets():
    settings = {"accelerations": [4.0, 3.0]}

    def rate_of(**record):
        record = {"acceleration": None, **record}
        return report.rate_of(record, settings)

    assert rate_of(acceleration=8.0) == 8.0
    assert rate_of(acquired=[85, 256]) == 3.0  # And not 3.01.
    assert rate_of(acquired=[80, 256]) == 3.2
    assert rate_of() is None  # No mask was found.


def test_a_constant_volume_is_left_out(folder, capsys):
    data, _ = loupe_tf.datasets.load_splits(str(folder / "data"))
    volume = data["test"].volumes[0]
    for file in (folder / "data").glob("*.npy"):
        if file.stem in str(volume):
            np.save(file, np.ones((2, 16, 16), "float32"))
    assert run(_arguments(folder, "--mask", "random_lines")) == 2
    (row,) = _results(folder)
    assert row["refused"] == {str(volume): "the volume is 1 everywhere"}
    left = {*data["test"].volumes} - {volume}
    assert set(row["unit_range"]) == set(row["fastmri"]) == left
    assert "1 everywhere" in capsys.readouterr().err


def test_differences_are_paired_and_have_an_interval():
    def row(mask, reconstructor, rate, *psnr):
        values = {
            str(i): {"psnr": x, "ssim": x / 100, "nmse": 1 / x}
            for i, x in enumerate(psnr)
        }
        return {
            "mask": mask,
            "reconstructor": reconstructor,
            "rate": rate,
            "error": None,
            "unit_range": values,
            "fastmri": values,
        }

    rows = [
        row("a", "zero_filled", 4, 20.0, 30.0, 25.0),
        row("b", "zero_filled", 4, 22.0, 31.0, 28.0),
        row("b", "wavelet_l1", 4, 26.0, 36.0, 31.0),
        row("b", "zero_filled", 8, 2.0, 3.0, 4.0),
        row("c", "zero_filled", 4, 21.0),
    ]
    settings = {"baseline": ["a"]}
    found = [report.compare(r, rows, settings) for r in rows]
    assert found[0] is found[2] is found[3] is None
    psnr = found[1]["unit_range"]["psnr"]
    assert psnr["volumes"] == {"0": 2.0, "1": 1.0, "2": 3.0}
    assert psnr["mean"] == 2.0
    # Student's, as `loupe-tf train` has it: t(0.975, 2) = 4.303 over √3.
    assert psnr["interval"] == pytest.approx((-0.484, 4.484), abs=1e-3)
    # One volume in common: a difference, but no interval.
    alone = found[4]["fastmri"]["ssim"]
    assert alone["mean"] == pytest.approx(0.01) and "interval" not in alone
    fixed = {"baseline": ["a", "zero_filled"]}
    other = report.compare(rows[2], rows, fixed)["unit_range"]["psnr"]
    assert other["mean"] == 6.0


@pytest.mark.parametrize(
    "others, text",
    [
        (["--mask", "no_such_mask"], "--mask"),
        (["--mask", "missing.npz"], "--mask"),
        (["--reconstructor", "no_such_method"], "--reconstructor"),
        (["--reconstructor", "mask.npz"], "--reconstructor"),
        (["--acceleration", "1"], "--acceleration"),
        (["--baseline", "spectrum"], "--baseline"),
        (["--tuning-slices", "0"], "--tuning-slices"),
    ],
)
def test_refuses_what_cannot_be(folder, capsys, others, text):
    assert run(_arguments(folder, *others)) == 2
    assert text in capsys.readouterr().err.splitlines()[-1]
    assert not os.path.exists(folder / "out")


@pytest.mark.parametrize(
    "others, kind, lines",
    [
        ((), "points", None),
        (("--lines", "rows"), "rows", "rows"),
        (("--baseline", "equispaced_lines"), "columns", None),
        (("--reconstructor", "rows.keras"), "rows", "rows"),
        (("--reconstructor", "zero_filled", "points.keras"), "points", None),
        (("--reconstructor", "nested.keras"), "columns", "columns"),
    ],
)
def test_patterns_of_one_kind_are_compared_by_default(
    folder, save_model, capsys, others, kind, lines
):
    """One scan cannot choose between points and lines."""
    options = {
        "rows.keras": {"lines": "rows", "acceleration": 2},
        "points.keras": {"acceleration": 2},
        "nested.keras": {"lines": "columns", "acceleration": [2, 4]},
    }
    others = [
        save_model(word, **options[word]) if word in options else word
        for word in others
    ]
    words = _arguments(folder, "--acceleration", "2", *others)
    assert run(words) == 0
    expected = ["gaussian", "poisson_disc"]
    if kind != "points":
        expected = ["random_lines", "equispaced_lines"]
    printed = capsys.readouterr().out
    assert f"Masks: patterns of {kind}, {expected[0]}" in printed
    every = "--mask gaussian poisson_disc random_lines equispaced_lines for all"
    assert every in printed
    found = {row["mask"]: row["acquired"][1] for row in _results(folder)}
    count = 256 if kind == "points" else 16
    assert found == dict.fromkeys(expected, count)
    settings = json.loads((folder / "out" / "settings.json").read_text())
    assert settings["lines"] == lines


def test_files_of_one_name_are_all_drawn(folder, monkeypatch):
    files = []
    for i in range(2):
        (folder / f"run{i}").mkdir()
        files.append(str(folder / f"run{i}" / "mask.npz"))
        masks.gaussian((16, 16), 4, seed=i).save(files[i])
    drawn = {}
    for name in ("masks", "reconstruction_groups"):
        real = getattr(report.plots, name)

        def spy(*args, real=real, name=name, **kwargs):
            drawn[name] = args
            return real(*args, **kwargs)

        monkeypatch.setattr(report.plots, name, spy)
    assert run(_arguments(folder, "--mask", "random_lines", *files)) == 0
    names = ["random_lines", *files]
    (shown,) = drawn["masks"]
    assert [*shown] == [f"{name}, R = 4" for name in names]
    (group,) = drawn["reconstruction_groups"][1]
    assert [*group] == names
    # Short where the names differ.
    assert run(_arguments(folder, "--mask", "random_lines", files[0])) == 0
    assert [*drawn["masks"][0]] == ["random_lines, R = 4", "mask.npz, R = 4"]


def test_rows_are_of_the_same_images(folder, rng, capsys):
    assert run(_arguments(folder, "--mask", "gaussian")) == 0
    for path in (folder / "data").glob("*.npy"):
        np.save(path, rng.uniform(size=(2, 16, 16)).astype("float32"))
    for names in (["gaussian"], ["gaussian", "random_lines"]):
        assert run(_arguments(folder, "--mask", *names)) == 2
        error = capsys.readouterr().err
        assert "--out" in error and "images" in error


def test_rows_of_older_versions_are_reported_without_new_ones(folder, capsys):
    arguments = _arguments(folder, "--mask", "gaussian")
    assert run(arguments) == 0
    path = folder / "out" / "settings.json"
    settings = json.loads(path.read_text())
    del settings["images"], settings["source"]
    path.write_text(json.dumps(settings))
    assert run(arguments) == 0
    capsys.readouterr()
    assert run([*arguments, "random_lines"]) == 2
    assert "did not record ['source', 'images']" in capsys.readouterr().err


class Tapered(reconstruction.Reconstructor):
    """The method of docs/extend.md."""

    def reconstruct(self, kspace, mask, maps):
        window = np.outer(*(np.hanning(n) for n in mask.shape))
        return reconstruction.adjoint(kspace * window, mask, maps)


def test_a_new_method_is_added_in_one_place(folder, capsys, monkeypatch):
    monkeypatch.setitem(evaluation.CLASSICAL, "tapered", Tapered())
    names = ("zero_filled", "tapered")
    arguments = ("--mask", "gaussian", "--reconstructor", *names)
    assert run(_arguments(folder, *arguments)) == 0
    plain, tapered = _results(folder)
    assert [plain["reconstructor"], tapered["reconstructor"]] == [*names]
    assert tapered["unit_range"] != plain["unit_range"]
    with pytest.raises(SystemExit):
        run(["--help"])
    assert "total_variation, tapered" in " ".join(
        capsys.readouterr().out.split()
    )
    assert run(_arguments(folder, "--reconstructor", "none")) == 2
    assert "tapered" in capsys.readouterr().err


def test_a_model_of_several_masks_is_named(folder, save_model):
    path = save_model("nested.keras", acceleration=(4, 8))
    cell = cells.Cell(path, "zero_filled", None)
    with pytest.raises(ValueError, match="nested.keras, which has 2"):
        cells.find_mask(cell, {}, None)


def test_a_model_of_several_coils_is_refused(folder, save_model):
    """The images are those of one coil; its mask may be tried all the same."""
    options = {"acceleration": 4, "coils": 3, "reconstructor": "unet"}
    model = save_model("model.keras", **options)
    words = "--mask", "random_lines", model, "--reconstructor", "zero_filled"
    assert run(_arguments(folder, *words, model)) == 2
    rows = _results(folder)
    assert len(rows) == 4
    for row in rows:
        refused = row["reconstructor"] == model
        assert ("model of 3 coils" in (row["error"] or "")) == refused


def test_refuses_before_the_first_row(folder, capsys):
    # No line would be left.
    others = "--lines", "columns", "--acceleration", "4", "100"
    assert run(_arguments(folder, *others)) == 2
    assert "acceleration" in capsys.readouterr().err
    assert not (folder / "out" / "runs").exists()
    # Drawn from another seed.
    assert run(_arguments(folder)) == 0
    assert run(_arguments(folder, "--seed", "1")) == 2
    assert "--out" in capsys.readouterr().err
    for file in [*(folder / "data").glob("*.npy")][2:]:
        file.unlink()
    assert run(_arguments(folder)) == 2
    assert "volumes" in capsys.readouterr().err
