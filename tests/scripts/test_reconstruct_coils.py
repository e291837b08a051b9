import json
import shutil

import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.datasets.building.random_object import (
    random_maps,
    random_object,
)
from loupe_tf.formats import write_cfl
from loupe_tf.numpy_fourier import fft2c


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reconstruct_coils.py")


@pytest.fixture(scope="module")
def kspace():
    rng = np.random.default_rng(0)
    size = (48, 46)
    image = random_object(rng, size)(0.1)
    image = image / np.abs(image).max()
    maps = random_maps(rng, 4, size)
    draws = rng.normal(scale=1e-3, size=(2, 4, *size))
    return (fft2c(maps * image) + draws[0] + 1j * draws[1]).astype("complex64")


@pytest.fixture
def few_iterations(script, monkeypatch):
    for method in ("CG-SENSE", "wavelet-l1"):
        monkeypatch.setitem(script.ITERATIONS, method, 20)


@pytest.mark.slow
def test_fully_sampled(script, kspace, tmp_path, capsys, few_iterations):
    np.save(tmp_path / "scan.npy", kspace)
    arguments = [str(tmp_path / "scan.npy"), "--out", str(tmp_path / "out")]
    arguments += ["--accelerations", "2", "--regularization", "0.001"]
    assert script.main(arguments) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    psnr = {(r["mask"][0], r["method"]): r["psnr"] for r in results["runs"]}
    assert {method for mask, method in psnr if mask == "l"} == {
        "zero-filled",
        "CG-SENSE",
        "wavelet-l1",
        "total variation",
        "GRAPPA",
    }
    # GRAPPA is for lines.
    assert ("p", "GRAPPA") not in psnr
    for (mask, method), value in psnr.items():
        if method != "zero-filled":
            assert value > psnr[mask, "zero-filled"] + 3, (mask, method)
    for record in results["runs"]:
        assert record["acceleration"] == pytest.approx(2, rel=0.01)
    printed = capsys.readouterr().out
    assert "lines, R = 2" in printed and "points, R = 2" in printed
    assert len(list((tmp_path / "out").glob("images_*.png"))) == 2


def test_keeps_the_mask_of_undersampled_kspace(
    script, kspace, tmp_path, few_iterations
):
    mask = masks.poisson_disc((48, 46), 3, calibration=16, seed=0).array
    scan = np.where(mask, kspace, 0)
    write_cfl(tmp_path / "scan", np.moveaxis(scan, 0, -1)[:, :, None])
    arguments = [str(tmp_path / "scan.cfl"), "--out", str(tmp_path / "out")]
    assert script.main(arguments) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {r["mask"] for r in results["runs"]} == {"as acquired"}
    for record in results["runs"]:
        expected = mask.size / mask.sum()
        assert record["acceleration"] == pytest.approx(expected)
        assert "psnr" not in record


def test_refuses_other_files(script, tmp_path, capsys):
    np.save(tmp_path / "image.npy", np.ones((3, 8, 8)))
    assert script.main([str(tmp_path / "image.npy")]) == 2
    assert "Expected complex k-space (coils, H, W)" in capsys.readouterr().err
    assert script.main([str(tmp_path / "none.npy")]) == 2
    with pytest.raises(SystemExit):
        script.main(["x.npy", "--accelerations", "1"])


def test_asks_for_bart(script, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert script.main(["x.npy", "--bart"]) == 2
    assert "BART's program" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bart"), reason="bart is not installed")
def test_compares_with_bart(script, kspace, tmp_path):
    np.save(tmp_path / "scan.npy", kspace)
    arguments = [str(tmp_path / "scan.npy"), "--out", str(tmp_path / "out")]
    arguments += ["--accelerations", "2", "--bart"]
    assert script.main(arguments) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    errors = {
        (r["mask"][0], r["method"]): r.get("bart") for r in results["runs"]
    }
    assert errors["p", "CG-SENSE"] < 1e-3
    for method in ("wavelet-l1", "total variation"):
        assert errors["p", method] < 0.05
