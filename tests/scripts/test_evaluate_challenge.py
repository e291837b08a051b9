import json

import h5py
import numpy as np
import pytest

from experiments import vendors
from experiments.presets import challenge
from loupe_tf.datasets import Slices
from loupe_tf.formats.fastmri_file import FastmriFile
from loupe_tf.numpy_fourier import ifft2c


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("evaluate_challenge.py")


@pytest.fixture
def part(rng):
    """Three volumes of two 16×16 slices."""
    return Slices(
        rng.uniform(size=(6, 16, 16, 1)).astype("float32"),
        np.repeat(["a", "b", "c"], 2),
        np.repeat(["p", "p", "q"], 2),
    )


@pytest.fixture
def truth(part, tmp_path):
    for vendor in (vendors.A, vendors.B):
        vendors.write_volumes(tmp_path / "truth", part, vendor, 0)
    return tmp_path / "truth"


def test_two_vendors(part, truth):
    paths = sorted(truth.iterdir())
    assert len(paths) == 6
    for path in paths:
        with FastmriFile(path) as file:
            vendor = vendors.A if "FLAIR" in path.name else vendors.B
            assert file.acquisition == vendor.contrast
            rows = 16 * vendor.oversampling
            assert file.kspace_shape == (2, vendor.coils, rows, 16)
            assert file.target_shape == (2, 16, 16)
            assert file.scanner == {
                "vendor": "simulated",
                "model": vendor.name,
                "field_strength": 1.5 if "_b.h5" in path.name else 3.0,
            }
            assert file.patient == ("q" if "_c.h5" in path.name else "p")


def test_the_object_lies_in_the_middle_of_an_oversampled_read_out(part):
    quiet = vendors.Vendor("quiet", "AXT2", 4, 2, 0.0)
    kspace = vendors.scan(part, quiet, seed=0)
    image = np.linalg.norm(ifft2c(kspace), axis=1)
    np.testing.assert_allclose(image[:, 8:24], part.images[..., 0], atol=1e-5)
    assert np.abs(image[:, :8]).max() < 1e-5 > np.abs(image[:, 24:]).max()


def test_noise_is_that_of_the_field_strength(part):
    empty = Slices(0 * part.images, part.volumes)
    noisy = vendors.scan(empty, vendors.A, seed=1)
    deviations = np.std([noisy.real, noisy.imag], axis=(0, 2, 3, 4))
    expected = [0.01, 0.01, 0.02, 0.02, 0.01, 0.01]
    np.testing.assert_allclose(deviations, expected, rtol=0.05)


def test_what_networks_learn_from(part):
    (kspace, mask), target = vendors.training_arrays(part, 4, seed=0)
    assert kspace.shape == (6, 8, 32, 16, 2) and mask.shape == (6, 1, 16, 1)
    assert target.shape == (6, 32, 16, 1)
    acquired = np.broadcast_to(mask[:, None], kspace.shape) > 0
    assert not kspace[~acquired].any() and kspace[acquired].all()
    assert len(np.unique(mask, axis=0)) > 1


def test_submissions_are_judged_and_compared(script, truth, tmp_path, capsys):
    mine, other = str(tmp_path / "mine"), str(tmp_path / "other")
    start = ["--truth", str(truth), "--submission"]
    made = [*start, mine, "--model", "zero_filled", "--track", "4x"]
    assert script.main(made) == 0
    said = capsys.readouterr().out
    for row in ("| AXFLAIR | 3 |", "| 1.5 | 2 |", "| simulated | 6 |"):
        assert row in said
    made = [*start, other, "--model", "zero_filled", "--track", "8x"]
    assert script.main([*made, "--rows", "32"]) == 0
    capsys.readouterr()
    assert script.main([*start, mine, other]) == 0
    (line,) = (
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("PSNR, ")
    )
    assert " - " in line and "[+" in line  # 4x is better on each draw.


def test_what_is_wrong_is_listed(script, truth, tmp_path, capsys):
    mine = tmp_path / "mine"
    arguments = ["--truth", str(truth), "--submission", str(mine)]
    assert script.main([*arguments, "--model", "zero_filled"]) == 0
    first, second, *_ = sorted(mine.iterdir())
    first.unlink()
    with h5py.File(second, "r+") as file:
        file["reconstruction"][0, 0, 0] = np.nan
    capsys.readouterr()
    assert script.main(arguments) != 0
    said = capsys.readouterr()
    assert f"{first.name}: missing" in said.err
    assert f"{second.name}: 1 values that are not finite" in said.err
    assert "SSIM" not in said.out
    third, fourth, *_ = sorted(truth.iterdir())
    third.write_bytes(b"no HDF5")
    with h5py.File(fourth, "r+") as file:
        file["kspace"][0, 0, 0, 0] = np.nan
    assert script.main([*arguments, "--model", "zero_filled"]) != 0
    said = capsys.readouterr().err
    assert third.name in said and fourth.name in said


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    arguments = [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--epochs", "1", "--tracks", "4x", "8x"),
    ]
    assert script.main(arguments) == 0
    said = capsys.readouterr().out
    assert "4x, A: VarNet against U-Net" in said
    assert "VarNet, SSIM: without the oversampling" in said
    records = json.loads((folder / "out/results.json").read_text())["runs"]
    assert len(records) == 6
    for record in records:
        scans = list(record["test"])
        assert len(scans) == (5 if record["track"] == "4x" else 1)
        for volumes in record["test"].values():
            assert all(0 < v["ssim"] <= 1 for v in volumes.values())

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(script.vendors, "training_arrays", refuse)
    assert script.main(arguments) == 0
    assert script.main(["--report", "--out", str(folder / "out")]) == 0


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--submission", "mine"], "--submission: expected with --truth"),
        (["--rows", "3"], "--rows: expected with --truth"),
        (["--truth", "there"], "--truth: expected with --submission"),
        (["--epochs", "0"], "--epochs"),
        (["--methods", "magic"], "magic"),
    ],
)
def test_refuses_wrong_options(capsys, arguments, said):
    with pytest.raises(SystemExit) as stop:
        challenge.parse("Title.\n\nText.", arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
