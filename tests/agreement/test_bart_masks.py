"""BART reads our patterns and reconstructs with them.

It runs where the program `bart` is installed.
"""

import shutil
import subprocess

import numpy as np
import pytest

from loupe_tf.formats import load_mask, read_cfl, save_mask, write_cfl
from loupe_tf.masks import poisson_disc, random_lines

if shutil.which("bart") is None:
    pytest.skip("bart is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow


def bart(folder, *words):
    subprocess.run(
        ["bart", *map(str, words)],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("kind", ["points", "columns", "rows"])
def test_reconstruction(tmp_path, kind):
    # BART's own phantom, square; our pattern with a long provenance.
    size = 64
    if kind == "points":
        mask = poisson_disc((size, size), 3, 12)
    else:
        mask = random_lines((size, size), 2.5, 12, lines=kind)
    mask = mask.replace(provenance={"slope_history": [200.5] * 5000})
    save_mask(mask, tmp_path / "pattern.cfl")
    bart(tmp_path, "phantom", "-x", size, "image")
    bart(tmp_path, "fft", "-u", 3, "image", "full")
    bart(tmp_path, "fmac", "full", "pattern", "kspace")
    full = read_cfl(tmp_path / "full")
    np.testing.assert_allclose(
        read_cfl(tmp_path / "kspace"), np.where(mask.array, full, 0)
    )
    # Sensitivities of one coil that sees everything alike.
    write_cfl(tmp_path / "maps", np.ones((size, size)))
    options = ["-w", 1, "-i", 200, "-R", "T:3:0:0.01", "-p", "pattern"]
    bart(tmp_path, "pics", *options, "kspace", "maps", "result")
    truth = np.abs(read_cfl(tmp_path / "image"))

    def error(image):
        image = np.abs(image)
        image = image * np.vdot(image, truth) / np.vdot(image, image)
        return np.linalg.norm(image - truth) / np.linalg.norm(truth)

    bart(tmp_path, "fft", "-u", "-i", 3, "kspace", "zero_filled")
    before = error(read_cfl(tmp_path / "zero_filled"))
    after = error(read_cfl(tmp_path / "result"))
    print(kind, before, after)
    assert after < 0.6 * before


def test_pattern_of_bart(tmp_path):
    bart(
        tmp_path, "poisson", "-Y", 40, "-Z", 36, "-y", 2, "-z", 2, "-C", 8, "p"
    )
    # Its dimensions are (1, Y, Z); those of an image are (Y, Z).
    pattern = read_cfl(tmp_path / "p")
    assert pattern.shape == (1, 40, 36)
    write_cfl(tmp_path / "mine", pattern[0])
    mask = load_mask(tmp_path / "mine.cfl")
    assert mask.shape == (40, 36) and mask.acquired == pattern.real.sum()
