import contextlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from loupe_tf import on_import

SCRIPTS = pathlib.Path(__file__).parents[1] / "scripts"


def python(code, **environment):
    """Run code with nothing set that a user has not set."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "", "CUDA_VISIBLE_DEVICES": "", **environment},
        capture_output=True,
        encoding="utf-8",
    )


def test_the_command_line_is_not_looked_at():
    """It is the program's, and missing where Python is embedded."""
    result = python("import sys; del sys.argv; import loupe_tf")
    assert (result.returncode, result.stderr) == (0, "")


TRAIN = """
import loupe_tf, json, sys
quick = sorted({"keras", "tensorflow", "matplotlib"} & set(sys.modules))
import keras, numpy as np
registered = [k for k in keras.saving.get_custom_objects() if "loupe_tf" in k]
model = loupe_tf.models.loupe_model((8, 8, 1), 2, filters=1, depth=1)
model.compile("adam", "mse", metrics=[loupe_tf.metrics.PSNR()])
x = np.ones((2, 8, 8, 1), "float32")
model.fit(x, x, verbose=0)
print(json.dumps([quick, registered]))
"""


def test_a_first_training_is_quiet():
    """One process for all: no log, nothing heavy, all layers registered."""
    result = python(TRAIN)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    quick, registered = json.loads(result.stdout)
    assert quick == []
    for name in ("ProbMask", "SpatialDropout", "PSNR", "SSIM"):
        assert f"loupe_tf>{name}" in registered


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "import keras, loupe_tf",
        "import loupe_tf, keras",
        "import loupe_tf.layers",
        "import loupe_tf.fixed_point",
        "import loupe_tf.operators",
        "import loupe_tf.trajectories.feasible",
        "import loupe_tf; loupe_tf.trajectories.FeasibleCurves",
        "import loupe_tf.models",
        "import loupe_tf.metrics",
        "import loupe_tf.fourier",
        "import loupe_tf.layers.fft",
        "import loupe_tf.callbacks",
        "import loupe_tf.datasets",
        "import loupe_tf.reconstruction.network, keras",
        "import loupe_tf, tensorflow as tf; tf.keras.layers",
    ],
)
def test_registered_whoever_imports_keras(first):
    code = "import keras; print(*keras.saving.get_custom_objects())"
    result = python(f"{first}\n{code}")
    assert result.returncode == 0, result.stderr
    for name in ("ProbMask", "SpatialDropout", "PSNR", "SSIM"):
        assert f"loupe_tf>{name}" in result.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize("module", ["models", "datasets", "callbacks", "cli"])
def test_submodules_are_quiet(module, backend):
    code = f"import loupe_tf.{module}, keras, loupe_tf; loupe_tf.export_model"
    result = python(code, KERAS_BACKEND=backend)
    assert (result.returncode, result.stderr) == (0, "")


def test_scripts_and_commands_answer_before_keras_is_imported():
    """`--help` of all of them, in one process."""
    code = f"""
import importlib.util, io, contextlib, pathlib, sys
heavy = {{"keras", "tensorflow", "jax", "torch"}}
def check(name, function, *arguments):
    try:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            function(*arguments)
    except SystemExit as error:
        assert error.code == 0, name
    assert "usage:" in text.getvalue(), name
    assert not heavy & set(sys.modules), name
sys.path.insert(0, {str(SCRIPTS)!r})
for path in sorted(pathlib.Path({str(SCRIPTS)!r}).glob("**/*.py")):
    if '__name__ == "__main__"' not in path.read_text("utf-8"):
        continue  # A part of others.
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    check(path.name, module.main, ["--help"])
from loupe_tf import cli
for words in "", "mask", "mask convert", "export", "trajectory make":
    check(words, cli.main, [*words.split(), "--help"])
"""
    result = python(code)
    assert (result.returncode, result.stderr) == (0, "")


LOG = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written
I0000 00:00:1795865542.092792    8538 port.cc:153] oneDNN
2026-11-28 11:32:04.123456: W tensorflow/core/util/port.cc:111] old style
E0000 00:00:1795865545.773234    8538 cuda_platform.cc:52] failed call to cuInit
F0000 00:00:1795865545.773234    8538 cpu.cc:52] not compiled for this CPU
DeprecationWarning: of another package
"""


@pytest.mark.parametrize("level, count", [(1, 4), (2, 3), (3, 2)])
def test_what_is_shown_of_the_log(level, count):
    lines = LOG.splitlines()
    shown = [line for line in lines if on_import.is_shown(line, level)]
    assert shown == lines[-count:]


def test_an_import_that_fails_shows_what_was_written(capfd, monkeypatch):

    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    with pytest.raises(ImportError):
        with on_import.without_start_up_log():
            os.write(2, LOG)
            raise ImportError
    assert capfd.readouterr().err.encode() == b"".join(
        LOG.splitlines(keepends=True)[-2:]
    )
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with on_import.without_start_up_log():
        os.write(2, LOG)
    assert capfd.readouterr().err.encode() == LOG


def test_looking_for_a_package_does_not_use_it_up(monkeypatch):

    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    seen = []

    def context():

        return contextlib.nullcontext(seen.append("imported"))

    finder = on_import.Around({"colorsys": context})
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert importlib.util.find_spec("colorsys") and not seen
    import colorsys

    assert colorsys.rgb_to_hsv and seen == ["imported"]
