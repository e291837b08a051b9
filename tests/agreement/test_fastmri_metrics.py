"""Agreement of metrics, masks and judgements with the `fastmri` package."""

import argparse

import numpy as np
import pytest

from loupe_tf import evaluation, masks
from loupe_tf.datasets import write_fastmri_dataset
from loupe_tf.formats.fastmri_file import FastmriFile

evaluate = pytest.importorskip("fastmri.evaluate")
subsample = pytest.importorskip("fastmri.data.subsample")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_metrics_of_a_volume(rng, dtype):
    volume = (rng.uniform(size=(4, 33, 40)) * 7e-5).astype(dtype)
    noise = rng.normal(size=volume.shape) * 4e-6
    output = (volume + noise).astype(dtype)
    result = evaluation.fastmri_metrics(volume, output)
    for name in ("psnr", "ssim", "nmse"):
        theirs = getattr(evaluate, name)(volume, output).item()
        assert result[name] == pytest.approx(theirs, abs=1e-6), name


def test_a_submission_is_judged_as_by_fastmri(tmp_path, rng):
    """Its command reads the same folders, and says the same."""
    truth, mine = tmp_path / "multicoil_val", tmp_path / "mine"
    size = {"size": (64, 40), "recon_size": (32, 32), "coils": 3}
    write_fastmri_dataset(
        tmp_path, {"multicoil_val": 3}, anatomy="brain", slices=2, **size
    )
    for path in truth.iterdir():
        with FastmriFile(path) as file:
            target = file.target()
        noise = rng.normal(size=target.shape) * target.max() / 20
        evaluation.write_submission(mine, path.name, target + noise)
    found = evaluation.judge_submission(mine, truth)
    for acquisition in (None, "AXT2"):
        own = [
            volume
            for volume in found.values()
            if acquisition in (None, volume["contrast"])
        ]
        arguments = argparse.Namespace(
            target_path=truth,
            predictions_path=mine,
            acquisition=acquisition,
            acceleration=None,
        )
        theirs = evaluate.evaluate(arguments, "reconstruction_rss").means()
        for name in ("psnr", "ssim", "nmse"):
            mean = np.mean([volume[name] for volume in own])
            assert mean == pytest.approx(theirs[name.upper()], abs=1e-6), name


@pytest.mark.parametrize("columns", [64, 65, 320, 396])
@pytest.mark.parametrize("rate, share", [(4, 0.08), (8, 0.04)])
def test_same_columns(columns, rate, share):
    make = subsample.EquispacedMaskFractionFunc([share], [rate])
    name = "file_brain_AXT2_200_2000019.h5"
    for seed, theirs in ((3, 3), (name, tuple(map(ord, name)))):
        expected, _ = make((1, columns, 2), seed=theirs)
        mask = masks.fastmri_lines(columns, rate, seed=seed)
        np.testing.assert_array_equal(mask.array.ravel(), expected.ravel())
