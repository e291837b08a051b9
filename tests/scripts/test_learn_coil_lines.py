import json

import keras
import numpy as np
import pytest

from loupe_tf import masks, simulation
from loupe_tf.numpy_fourier import fft2c

TINY = "--filters 2 --depth 2 --epochs 1 1 --batch-size 4 --coils 3".split()
TINY += ["--acceleration", "2", "--calibration", "13"]


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("learn_coil_lines.py")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A scan of 36×32, and volumes that are wider and lower than it."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:36j, -1:1:32j]
    body = (y**2 + x**2 < 0.7) * (1 + 0.3 * np.sin(9 * x) * np.cos(7 * y))
    maps = simulation.birdcage_maps((36, 32), 4)
    noise = rng.normal(scale=1e-3, size=(2, 4, 36, 32))
    kspace = fft2c(maps * body) + noise[0] + 1j * noise[1]
    np.save(folder / "scan.npy", kspace)
    (folder / "volumes").mkdir()
    for i in range(5):
        volume = rng.uniform(size=(2, 28, 40))
        np.save(folder / "volumes" / f"{i}.npy", volume)
    return folder


@pytest.fixture
def uncompiled(script, monkeypatch):
    """XLA takes longer to compile these models than they take to train."""
    build = script.build_model

    def build_uncompiled(*arguments):
        model = build(*arguments)
        model.jit_compile = False
        return model

    monkeypatch.setattr(script, "build_model", build_uncompiled)


@pytest.mark.slow
def test_whole_run(script, files, tmp_path, capsys, uncompiled):
    arguments = ["--test", str(files / "scan.npy")]
    arguments += ["--data", str(files / "volumes"), "--out", str(tmp_path)]
    arguments += TINY
    assert script.main(arguments) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    found = {(r["mask"], r["method"]): r for r in results["runs"]}
    methods = ("zero-filled", "CG-SENSE", "U-Net")
    assert set(found) == {(m, k) for m in script.MASKS for k in methods}
    for mask in script.MASKS:
        assert found[mask, "CG-SENSE"]["psnr"] > 25
        assert found[mask, "CG-SENSE"]["acceleration"] == 2
        zero_filled = found[mask, "zero-filled"]["psnr"]
        assert found[mask, "CG-SENSE"]["psnr"] > zero_filled + 0.5
        saved = masks.SamplingMask.load(tmp_path / f"{mask}.npz")
        assert saved.array.shape == (1, 32) and saved.array.sum() == 16
        assert saved.array[0, 10:22].all()
        assert keras.models.load_model(tmp_path / f"{mask}.keras").built
    printed = capsys.readouterr().out
    assert "NRMSE" in printed and "simulated test volumes" in printed
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img") == 4 and "(4, 36, 32)" in page
    # The same command reads what is there; another one is refused.
    assert script.main([*arguments, "--snr", "20"]) == 2


def test_refuses_what_was_not_sampled(script, files, tmp_path, capsys):
    kspace = np.load(files / "scan.npy")
    kspace[:, :, 3] = 0
    np.save(tmp_path / "scan.npy", kspace)
    assert script.main(["--test", str(tmp_path / "scan.npy")]) == 2
    assert "fully sampled" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        script.main(["--test", "scan.npy", "--calibration", "4"])
