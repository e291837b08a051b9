"""Agreement with BART's `pics`: same k-space, mask, maps and regularizer.

It runs where the program `bart` is installed. With the environment variable
LOUPE_TF_RAW, the folder of raw data with `sigpy/cartesian_ksp.npy`, measured
k-space of eight coils is reconstructed, else a simulated slice.
"""

import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.datasets.building.random_object import (
    random_maps,
    random_object,
)
from loupe_tf.formats import read_cfl, write_cfl
from loupe_tf.reconstruction import (
    Sense,
    TotalVariation,
    WaveletL1,
    adjoint,
    espirit_maps,
    forward,
)

if shutil.which("bart") is None:
    pytest.skip("bart is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scan():
    """K-space of several coils, mask and ESPIRiT maps."""
    folder = os.environ.get("LOUPE_TF_RAW")
    if folder:
        path = pathlib.Path(folder) / "sigpy" / "cartesian_ksp.npy"
        kspace = np.load(path, allow_pickle=False)
        mask = np.any(kspace != 0, axis=0)
    else:
        rng = np.random.default_rng(0)
        # Of odd sizes BART leaves a linear phase behind.
        size = (96, 86)
        image = random_object(rng, size)(0.1)
        image = image / np.abs(image).max()
        maps = random_maps(rng, 8, size)
        mask = masks.poisson_disc(size, 5, calibration=20, seed=0).array
        kspace = forward(image, mask, maps)
        noise = rng.normal(scale=0.01, size=(2, *kspace.shape))
        kspace = np.where(mask, kspace + noise[0] + 1j * noise[1], 0)
        kspace = kspace.astype(np.complex64)
    return kspace, mask, espirit_maps(kspace, mask)


def pics(scan, folder, *options):
    kspace, mask, maps = scan
    # BART's dimensions: (H, W, 1, coils).
    arrays = {"kspace": kspace, "pattern": mask[None], "maps": maps}
    for name, array in arrays.items():
        write_cfl(folder / name, np.moveaxis(array, 0, -1)[:, :, None])
    # `-w 1`: k-space is not divided by a scale of BART's own.
    command = ["bart", "pics", "-w", "1", "-p", "pattern", *options]
    subprocess.run(
        [*command, "kspace", "maps", "image"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return read_cfl(folder / "image")


def nrmse(image, reference):
    """Up to a constant phase, which BART's shifts by half leave behind."""
    product = np.vdot(reference, image)
    aligned = reference * product / np.abs(product)
    return np.linalg.norm(image - aligned) / np.linalg.norm(reference)


@pytest.mark.parametrize("regularization", [0.002, 0.01])
@pytest.mark.parametrize("kind", ["wavelet", "total variation"])
def test_compressed_sensing(scan, tmp_path, kind, regularization):
    strength = regularization * np.abs(adjoint(*scan)).max()
    if kind == "wavelet":
        ours = WaveletL1(regularization, 100, wavelet="db2")
        options = "-i", "100", "-R", f"W:3:0:{strength}"
    else:
        ours = TotalVariation(regularization, 200)
        options = "-i", "200", "-R", f"T:3:0:{strength}"
    error = nrmse(ours(*scan), pics(scan, tmp_path, *options))
    print(kind, regularization, error)
    assert error < 0.05


def test_sense(scan, tmp_path):
    options = "-i", "50", "-l2", "-r", "0.01"
    ours = Sense(0.01, 50)
    error = nrmse(ours(*scan), pics(scan, tmp_path, *options))
    print("sense", error)
    assert error < 0.01
