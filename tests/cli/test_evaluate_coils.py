"""`loupe-tf evaluate` with several coils, noise and a kind of lines."""

import json
import re

import numpy as np
import pytest

import loupe_tf.datasets
from loupe_tf import cli, evaluation, masks, reconstruction
from loupe_tf.cli.evaluating import scans
from loupe_tf.cli.phase import images_of
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.numpy_operators import adjoint, forward

# Networks run on a few slices each; tests/test_publishing.py draws a report.
pytestmark = pytest.mark.usefixtures("eager", "undrawn")
SETTINGS = {
    "coils": 3,
    "snr": 20.0,
    "peak_snr": None,
    "seed": 0,
    "phase": 1.0,
}


@pytest.fixture
def folder(tmp_path, rng):
    """Volumes of two 16×18 slices, two of them for the test."""
    (tmp_path / "data").mkdir()
    for i in range(16):
        volume = rng.uniform(size=(2, 16, 18)).astype("float32")
        np.save(tmp_path / "data" / f"volume_{i}.npy", volume)
    return tmp_path


def run(folder, *others):
    given = "--data", str(folder / "data"), "--out", str(folder / "out")
    return cli.main(["evaluate", *given, *others])


def _rows(folder):
    return json.loads((folder / "out" / "results.json").read_text())["runs"]


def _inputs(folder, phase=1.0):
    splits, _ = loupe_tf.datasets.load_splits(str(folder / "data"))
    return splits, images_of(splits, phase, 0)


def test_the_scans_are_those_of_coils_with_noise(folder):
    _, images = _inputs(folder)
    found = scans.simulate(SETTINGS, images)
    given = images["test"] @ np.array([1, 1j])
    maps, kspace = found["test"]["maps"], found["test"]["kspace"]
    assert maps.shape == kspace.shape == (4, 3, 16, 18)
    for i, image in enumerate(given):
        energy = np.sum(np.abs(maps[i]) ** 2, axis=0)
        np.testing.assert_allclose(energy, 1, atol=1e-5)
        clean = fft2c(maps[i] * image)
        noise = kspace[i] - clean
        ratio = np.mean(np.abs(clean) ** 2) / np.mean(np.abs(noise) ** 2)
        assert 10 * np.log10(ratio) == pytest.approx(20, abs=0.7)
    # Each mask measures the same scan.
    np.testing.assert_array_equal(kspace[2], kspace[2])
    same = scans.simulate(SETTINGS, images)["test"]
    np.testing.assert_array_equal(same["kspace"][2], kspace[2])
    other = scans.simulate({**SETTINGS, "seed": 1}, images)["test"]
    assert np.abs(other["kspace"][2] - kspace[2]).max() > 0
    # Slices and splits have noise of their own.
    one, two = kspace[0] - fft2c(maps[0] * given[0]), kspace[1]
    two = two - fft2c(maps[1] * given[1])
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.2
    assert any(np.abs(maps[i] - maps[0]).max() > 1e-3 for i in range(1, 4))


@pytest.mark.parametrize("coils", [None, 3])
def test_peak_snr_is_one_sigma_for_all_slices(folder, coils):
    _, images = _inputs(folder)
    images["test"] *= np.array([1, 0.1, 1, 0.01]).reshape(4, 1, 1, 1)
    given = {**SETTINGS, "snr": None, "peak_snr": 50.0, "coils": coils}
    noisy = scans.simulate(given, images)["test"]["kspace"]
    for i, image in enumerate(images["test"] @ np.array([1, 1j])):
        maps = 1
        if coils:
            maps = scans.simulate(given, images)["test"]["maps"][i]
        noise = noisy[i] - fft2c(maps * image)
        # 288 samples of each coil.
        assert noise.real.std() == pytest.approx(0.02, rel=0.2)
        assert noise.imag.std() == pytest.approx(0.02, rel=0.2)


def test_one_coil_with_noise_has_no_maps(folder):
    _, images = _inputs(folder, None)
    settings = {**SETTINGS, "coils": None, "phase": None}
    found = scans.simulate(settings, images)["test"]
    assert set(found) == {"kspace"} and found["kspace"].shape == (4, 16, 18)
    assert found["kspace"][0].shape == (16, 18)
    assert scans.simulate({**settings, "snr": None}, images)["test"] == {}


def test_masks_are_compared_on_the_same_scans(folder, capsys):
    masks.random_lines((16, 18), 3, seed=4).save(folder / "learned.npz")
    learned = str(folder / "learned.npz")
    given = ["--mask", learned, "equispaced_lines", "--acceleration", "3"]
    given += ["--coils", "3", "--snr", "20"]
    assert run(folder, *given) == 0
    printed = capsys.readouterr().out
    # Coils add a phase, so images without one get one.
    assert "a simulated phase of 1 rad" in printed
    assert (
        "3 coils around the image (birdcage maps), receiver noise, 20 dB"
        in (printed)
    )
    splits, images = _inputs(folder)
    test = splits["test"]
    found = scans.simulate(SETTINGS, images)["test"]
    rows = {row["mask"]: row for row in _rows(folder)}
    fixed = masks.equispaced_lines((16, 18), 3)
    for name, mask in (
        (learned, masks.SamplingMask.load(learned)),
        ("equispaced_lines", fixed),
    ):
        output = [
            np.abs(adjoint(found["kspace"][i], mask, found["maps"][i]))
            for i in range(4)
        ]
        expected = evaluation.per_volume(
            test.images, np.array(output)[..., None], test.volumes
        )
        assert list(rows[name]["unit_range"]) == list(expected)
        for volume, values in expected.items():
            ours = rows[name]["unit_range"][volume]
            assert ours == pytest.approx(values, rel=1e-4)
    difference = rows["equispaced_lines"]["difference"]["unit_range"]["psnr"]
    assert len(difference["interval"]) == 2
    # The folder belongs to these coils.
    given[given.index("--coils") + 1] = "4"
    assert run(folder, *given) == 2
    assert "--coils 3" in capsys.readouterr().err


def test_methods_get_the_maps_and_are_tuned_with_them(folder, monkeypatch):
    pytest.importorskip("sigpy")
    seen = []

    class Seen(reconstruction.Sense):
        def reconstruct(self, kspace, mask, maps):
            seen.append((kspace, mask, maps))
            return super().reconstruct(kspace, mask, maps)

    monkeypatch.setitem(evaluation.OF_COILS, "sense", Seen(0.01, 5))
    given = ["--mask", "equispaced_lines", "--acceleration", "2"]
    given += ["--calibration", "8", "--tuning-slices", "1", "--coils", "3"]
    given += ["--reconstructor", "sense", "total_variation", "grappa"]
    assert run(folder, *given, "zero_filled", "--phase", "0") == 0
    rows = {row["reconstructor"]: row for row in _rows(folder)}
    assert set(rows["sense"]["regularization_psnr"]) >= {"0.001", "0.1"}
    psnr = {
        name: np.mean([v["psnr"] for v in row["unit_range"].values()])
        for name, row in rows.items()
    }
    # Three coils separate two aliases.
    assert psnr["sense"] > psnr["zero_filled"] + 1
    assert psnr["total_variation"] > psnr["zero_filled"] + 1
    _, images = _inputs(folder, None)
    settings = {**SETTINGS, "snr": None, "phase": 0.0}
    found = scans.simulate(settings, images)
    # Seven values on a slice of the validation, then four of the test and a
    # picture.
    assert len(seen) == len(evaluation.REGULARIZATIONS) + 5
    for (kspace, mask, maps), (split, index) in zip(
        (seen[0], seen[-5]), (("validation", 2), ("test", 0)), strict=True
    ):
        expected = found[split]["maps"][index]
        np.testing.assert_allclose(maps, expected)
        image = images[split][index, ..., 0]
        expected = forward(image, mask, expected)
        np.testing.assert_allclose(kspace, expected, atol=1e-6)


def test_a_model_of_several_coils(folder, capsys):
    path = str(folder / "model.keras")
    loupe_tf.models.loupe_model(
        (16, 18, 1), 2, coils=3, reconstructor="zero_filled", seed=0
    ).save(path)
    given = ["--mask", path, "--reconstructor", "zero_filled", path]
    assert run(folder, *given, "--coils", "3") == 0
    zero_filled, network = (row["unit_range"] for row in _rows(folder))
    for volume, values in zero_filled.items():
        assert network[volume] == pytest.approx(values, rel=1e-4)
    capsys.readouterr()
    assert run(folder, *given, "--out", str(folder / "other")) == 2
    error = capsys.readouterr().err
    assert "--reconstructor" in error and "or --coils 3" in error


@pytest.mark.parametrize("lines, acquired", [("rows", 16), ("columns", 18)])
def test_the_kind_of_lines(folder, lines, acquired):
    given = ["--mask", "equispaced_lines", "gaussian", "--lines", lines]
    assert run(folder, *given, "--acceleration", "2") == 0
    rows = {row["mask"]: row["acquired"] for row in _rows(folder)}
    assert rows["equispaced_lines"] == [acquired // 2, acquired]
    assert rows["gaussian"] == [144, 288]


def test_rows_of_versions_without_coils_are_finished(folder):
    assert run(folder, "--mask", "gaussian") == 0
    path = folder / "out" / "settings.json"
    settings = json.loads(path.read_text())
    for name in ("coils", "snr", "peak_snr", "lines"):
        assert settings.pop(name) is None
    path.write_text(json.dumps(settings))
    assert run(folder, "--mask", "gaussian", "random_lines") == 0
    assert run(folder, "--mask", "gaussian", "--coils", "2") == 2


@pytest.mark.parametrize(
    "others, text",
    [
        (["--coils", "0"], "--coils"),
        (["--snr", "nan"], "--snr"),
        (["--peak-snr", "0"], "--peak-snr.*above 0"),
        (["--peak-snr", "50", "--snr", "15"], "--peak-snr. Expected none bes"),
        (["--reconstructor", "sense"], "--coils.*which sense needs"),
        (
            ["--coils", "1", "--reconstructor", "grappa", "sense"],
            "--coils.*which grappa and sense need",
        ),
        (["--lines", "rows", "--mask", "gaussian"], "--lines.*a pattern of"),
    ],
)
def test_refuses_what_cannot_be(folder, capsys, others, text):
    assert run(folder, *others) == 2
    assert re.search(text, " ".join(capsys.readouterr().err.split()))
    assert not (folder / "out").exists()
