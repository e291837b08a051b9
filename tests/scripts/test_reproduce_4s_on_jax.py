"""The reproduction of the 4S paper where TensorFlow is not installed."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "reproduce_4s.py"
# Runs a script as if packages were not installed.
WITHOUT = """
import importlib.abc, os, runpy, sys

ABSENT = {
    *("tensorflow", "tensorflow_datasets", "tf_keras", "tensorboard"),
    *("etils", "nilearn", "torch"),
}

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

# JAX looks whether etils is there, and does without.
sys.meta_path.insert(0, Absent())
"""
RUN = """
sys.path.insert(0, os.path.dirname(sys.argv[1]))
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
# Kills itself in the second epoch.
KILLED = """
import keras

class Kill(keras.callbacks.TerminateOnNaN):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            os.kill(os.getpid(), 9)

keras.callbacks.TerminateOnNaN = Kill
"""
# Tests compile much and compute little.
XLA_FAST = (
    "--xla_backend_optimization_level=0 "
    "--xla_llvm_disable_expensive_passes=true"
)

pytest.importorskip("jax")


def _python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": XLA_FAST},
    )


@pytest.fixture
def arguments(tmp_path, rng):
    """Run the smallest grid of the preset on four volumes of an .npz file."""
    path = tmp_path / "images.npz"
    volumes = rng.uniform(size=(4, 3, 32, 32)).astype("float32")
    np.savez(path, **{f"volume_{i}": x for i, x in enumerate(volumes)})
    return [
        *(SCRIPT, "--preset", "paper320", "--methods", "4s", "--data", path),
        *("--images", "4", "2", "2", "--batch-size", "2", "--epochs", "1"),
        *("--filters", "2", "--depth", "1", "--precision", "mixed_bfloat16"),
    ]


def _record(out):
    (path,) = (out / "runs").iterdir()
    record = json.loads(path.read_text())
    del record["seconds"], record["crc32c"]
    return record


@pytest.mark.slow
def test_runs_from_an_npz_file(arguments, tmp_path):
    result = _python(RUN, *arguments, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "train 2 volumes (4 slices)" in result.stdout
    record = _record(tmp_path / "out")
    assert " on jax, " in record["versions"]
    assert record["settings"]["precision"] == "mixed_bfloat16"
    assert record["epochs"] == 2 and not record["diverged"]
    assert record["binarizations"]["exact"]["achieved_acceleration"] == 8.0
    assert (tmp_path / "out" / "report.html").exists()


def test_names_of_data_sets_need_tfds(tmp_path):
    out = tmp_path / "out"
    result = _python(RUN, SCRIPT, "--data", "mni_brain/64", "--out", out)
    assert result.returncode == 2
    assert "Expected an existing file or folder" in result.stderr
    assert "Received: --data mni_brain/64" in result.stderr
    assert not out.exists()


def test_tensorflow_stays_out_where_it_is_installed(arguments):
    code = """
import sys
import experiments.slope_methods
import loupe_tf
from loupe_tf import datasets

splits, source = datasets.load_splits(sys.argv[1])
found = [name for name in sys.modules if name.startswith("tensorflow.")]
assert "test" in splits and not found, found
"""
    result = subprocess.run(
        [sys.executable, "-c", code, arguments[arguments.index("--data") + 1]],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": str(SCRIPT.parent),
        },
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_killed_and_started_again_gives_the_same_record(arguments, tmp_path):
    arguments = [*arguments, "--epochs", "2"]
    whole = _python(RUN, *arguments, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    arguments += ["--out", tmp_path / "again"]
    killed = _python(KILLED + RUN, *arguments)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "again" / "runs").exists()
    (backup,) = (tmp_path / "again" / "unfinished").rglob("state.json")
    assert json.loads(backup.read_text())["epoch"] == 1
    resumed = _python(RUN, *arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert _record(tmp_path / "again") == _record(tmp_path / "whole")
