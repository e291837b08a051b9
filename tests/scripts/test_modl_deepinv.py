import importlib.util

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="chooses its own backends"
)


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("benchmarks/modl_deepinv.py")


@pytest.mark.slow
def test_small_run(script, capsys):
    pytest.importorskip("deepinv")
    small = "--size 16 --coils 2 --filters 2 --iterations 2 --rounds 2"
    assert script.main([*small.split(), "--backends", "tensorflow"]) == 0
    said = capsys.readouterr().out
    assert "apart" in said and "deepinv" in said


class Started:
    def __init__(self, image):
        self.start = {"image": image}


def test_other_images_are_refused(script):
    theirs = Started([[1.0, 2.0]])
    gaps = script.check({"jax": Started([[1.0, 2.001]]), "torch": theirs})
    assert gaps["jax"] == pytest.approx(0.001 / np.sqrt(5))
    for image in ([[1.0, 2.1]], [[1.0, np.nan]]):
        with pytest.raises(RuntimeError, match="images of jax differ"):
            script.check({"jax": Started(image), "torch": theirs})


def test_says_what_is_missing(script, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert script.main([]) == 1
    assert "pip install deepinv" in capsys.readouterr().out


def test_nonsense_is_refused(script, capsys):
    with pytest.raises(SystemExit, match="2"):
        script.main(["--solver-iterations", "0"])
    said = capsys.readouterr().err
    assert "--solver-iterations must be at least 1" in said
