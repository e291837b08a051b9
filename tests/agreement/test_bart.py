"""Agreement with BART's `pics`: same k-space, mask, maps and regularizer.

It runs where the program `bart` is installed. With the environment variable
LOUPE_TF_RAW, the folder of raw data with `sigpy/cartesian_ksp.npy`, measured
k-space of eight coils is reconstructed, else a simulated slice.
"""

import os
import pathlib
import shutil

import numpy as np
import pytest

from experiments.bart import difference, pics
from loupe_tf import masks
from loupe_tf.datasets.building.random_object import (
    random_maps,
    random_object,
)
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


def simulate(size):
    """K-space of eight coils, mask and ESPIRiT maps."""
    rng = np.random.default_rng(0)
    image = random_object(rng, size)(0.1)
    image = image / np.abs(image).max()
    maps = random_maps(rng, 8, size)
    mask = masks.poisson_disc(size, 5, calibration=20, seed=0).array
    kspace = forward(image, mask, maps)
    noise = rng.normal(scale=0.01, size=(2, *kspace.shape))
    kspace = np.where(mask, kspace + noise[0] + 1j * noise[1], 0)
    kspace = kspace.astype(np.complex64)
    return kspace, mask, espirit_maps(kspace, mask)


@pytest.fixture(scope="module")
def scan():
    folder = os.environ.get("LOUPE_TF_RAW")
    if not folder:
        return simulate((96, 86))
    path = pathlib.Path(folder) / "sigpy" / "cartesian_ksp.npy"
    kspace = np.load(path, allow_pickle=False)
    mask = np.any(kspace != 0, axis=0)
    return kspace, mask, espirit_maps(kspace, mask)


@pytest.mark.parametrize("regularization", [0.002, 0.01])
@pytest.mark.parametrize("kind", ["wavelet", "total variation"])
def test_compressed_sensing(scan, kind, regularization):
    strength = regularization * np.abs(adjoint(*scan)).max()
    if kind == "wavelet":
        ours = WaveletL1(regularization, 100, wavelet="db2")
        theirs = pics(*scan, 100, "-R", f"W:3:0:{strength}")
    else:
        ours = TotalVariation(regularization, 200)
        theirs = pics(*scan, 200, "-R", f"T:3:0:{strength}")
    error = difference(ours(*scan), theirs)
    print(kind, regularization, error)
    assert error < 0.05


# Along an odd side, BART's own image is one pixel further.
@pytest.mark.parametrize("size", [None, (95, 86), (95, 85)])
def test_sense(scan, size):
    if size:
        scan = simulate(size)
    theirs = pics(*scan, 50, "-l2", "-r", "0.01")
    error = difference(Sense(0.01, 50)(*scan), theirs)
    print("sense", error)
    assert error < 0.001
