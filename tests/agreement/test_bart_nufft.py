"""Agreement with BART's `traj`, `nufft` and `phantom -t`, by files.

It runs where the program `bart` is installed. Component i of a trajectory is
along dimension i of images, which are arrays `(H, W)` here. The sign is ours.
The exact transform, `nufft -s`, has no factor 1/√(HW), and its centre is at
`N / 2`, which for odd N lies half a pixel from ours.
"""

import shutil
import subprocess

import numpy as np
import pytest

from loupe_tf.formats import (
    load_trajectory,
    read_cfl,
    save_trajectory,
    write_cfl,
)
from loupe_tf.numpy_fourier import ifft2c, nudft
from loupe_tf.reconstruction import CgSense
from loupe_tf.trajectories import Trajectory, radial

if shutil.which("bart") is None:
    pytest.skip("bart is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow


@pytest.fixture
def bart(tmp_path):
    """Run BART in the folder of the test."""

    def run(*arguments):
        command = ["bart", *map(str, arguments)]
        subprocess.run(
            command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
        )

    return run


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("golden", [False, True])
def test_spokes(bart, tmp_path, golden):
    options = ["-G"] if golden else []
    bart("traj", "-r", "-c", *options, "-x", 16, "-y", 9, "traj")
    found = load_trajectory(tmp_path / "traj.cfl", matrix=(16, 16))
    expected = radial(9, 16, golden=golden).positions
    np.testing.assert_allclose(found.positions, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(16, 20), (15, 18), (17, 17)])
def test_exact_transform(bart, tmp_path, rng, size):
    trajectory = Trajectory(rng.uniform(-0.5, 0.5, (4, 30, 2)), matrix=size)
    image = rng.normal(size=size) + 1j * rng.normal(size=size)
    save_trajectory(trajectory, tmp_path / "traj.cfl")
    write_cfl(tmp_path / "image", image)
    bart("nufft", "-s", "traj", "image", "samples")
    found = read_cfl(tmp_path / "samples")[0].T / np.sqrt(np.prod(size))
    positions = load_trajectory(tmp_path / "traj.cfl").positions
    shift = (positions * (np.array(size) % 2)).sum(axis=-1) / 2
    found = found * np.exp(-2j * np.pi * shift)
    assert error(found, nudft(image, positions)) < 1e-4
    if not shift.any():  # BART's fast transform, less exact.
        bart("nufft", "-P", "traj", "image", "samples")
        found = read_cfl(tmp_path / "samples")[0].T
        assert error(found, nudft(image, positions)) < 5e-3


def test_phantom_along_a_trajectory(bart, tmp_path):
    """Its samples are analytic: they come from no image of pixels."""
    size = 64, 64
    spokes = radial(100, 128, matrix=size)
    save_trajectory(spokes, tmp_path / "traj.cfl")
    bart("phantom", "-k", "-t", "traj", "samples")
    bart("phantom", "-k", "-x", 64, "kspace")
    samples = read_cfl(tmp_path / "samples")[0].T
    found = CgSense(1e-3, 10)(samples, spokes)
    # The image of the analytic samples of the Cartesian grid.
    expected = ifft2c(read_cfl(tmp_path / "kspace"))
    scale = np.vdot(found, expected) / np.vdot(found, found)
    assert abs(scale - 1) < 0.01
    # Spokes do not reach the corners of k-space.
    assert error(found, expected) < 0.15
