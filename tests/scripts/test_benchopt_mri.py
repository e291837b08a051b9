import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.reconstruction import TotalVariation

pytest.importorskip("pywt")
ROOT = pathlib.Path(__file__).parents[2]
BENCHMARK = ROOT / "scripts" / "benchmarks" / "benchopt_mri"


@pytest.fixture(scope="module")
def problem():
    path = BENCHMARK / "benchmark_utils" / "problem.py"
    spec = importlib.util.spec_from_file_location("benchopt_problem", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_differences_and_their_adjoint(problem, rng):
    x, z = rng.normal(size=(8, 6)), rng.normal(size=(2, 8, 6))
    expected = np.vdot(problem.differences(x), z)
    assert np.vdot(x, problem.differences_adjoint(z)) == pytest.approx(expected)
    constant = np.full((8, 6), 3.0)
    assert not problem.differences(constant).any()


def test_wavelets_are_orthonormal(problem, rng):
    x = rng.normal(size=(16, 16)) + 1j * rng.normal(size=(16, 16))
    coefficients, slices = problem.wavelets(x)
    assert coefficients.shape == x.shape
    assert np.linalg.norm(coefficients) == pytest.approx(np.linalg.norm(x))
    again = problem.wavelets_inverse(coefficients, slices)
    np.testing.assert_allclose(again, x, atol=1e-12)


def test_the_objective_is_that_of_the_library(problem):
    """No step from its solution to another image lowers the objective."""
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    truth = 1.0 * (np.hypot(x, y) < 0.7)
    mask = masks.gaussian((16, 16), 2, calibration=6, seed=0).array
    kspace = problem.measure(truth, mask, 0.01, seed=0)
    strength = 0.02
    weight = strength * np.abs(problem.zero_filled(kspace)).max()
    found = TotalVariation(strength, 2000)(kspace, mask)
    least = problem.objective_value(found, kspace, mask, "tv", weight)
    for other in (problem.zero_filled(kspace), truth, np.zeros_like(truth)):
        for share in (1, 0.1, 0.01):
            image = found + share * (other - found)
            value = problem.objective_value(image, kspace, mask, "tv", weight)
            assert value > least * (1 - 1e-4)


def benchopt(*arguments, cwd):
    result = subprocess.run(
        [sys.executable, "-m", "benchopt", *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            # Where it looks for pytest.
            "PATH": os.pathsep.join(
                [str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
            ),
        },
    )
    assert result.returncode == 0, result.stdout[-3000:]
    return result.stdout


@pytest.mark.slow
def test_benchopt_finds_nothing_wrong(tmp_path):
    pytest.importorskip("benchopt")
    said = benchopt("test", BENCHMARK, "--skip-install", cwd=tmp_path)
    assert " passed" in said and "failed" not in said


@pytest.mark.slow
def test_solvers_agree_on_the_minimum(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("benchopt")
    output = tmp_path / "results.parquet"
    arguments = ["--config", BENCHMARK / "run.yml", "--no-display"]
    arguments += ["--output", output, "--no-plot", "--no-cache"]
    benchopt("run", BENCHMARK, *arguments, cwd=tmp_path)
    table = pandas.read_parquet(output).sort_values("stop_val")
    problems = table.groupby(["dataset_name", "objective_name"])
    assert len(problems) == 4
    for (_, objective), rows in problems:
        last = rows.groupby("solver_name").last()
        excess = last["objective_value"] / last["objective_value"].min() - 1
        quality = last["objective_psnr"]
        exact = ["primal-dual", "sigpy-tv", "loupe_tf-tv"]
        if "wavelet" in objective:
            exact = ["FISTA", "sigpy-wavelet"]
            exact += ["loupe_tf-wavelet[cycle_spinning=False]"]
        assert excess[exact].max() < 1e-6
        assert quality["zero-filled"] == quality.min()
        # Solvers, two models, zero filling.
        assert len(last) == (7 if "wavelet" in objective else 6)
