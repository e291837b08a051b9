import importlib.util

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="chooses its own backends"
)


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("benchmarks/equilibrium_deepinv.py")


@pytest.mark.slow
def test_small_run(script, capsys):
    pytest.importorskip("deepinv")
    small = "--size 16 --filters 2 --iterations 3 --rounds 2"
    only = "--backends tensorflow --methods picard"
    assert script.main([*small.split(), *only.split()]) == 0
    said = capsys.readouterr().out
    assert "the way back" in said and "apart" in said


def test_ratios_are_of_the_same_round(script):
    seconds = {
        "predict": {"jax": [1.0, 4.0, 1.0], "torch": [2.0, 2.0, 1.0]},
        "train": {"jax": [2.0, 6.0, 4.0], "torch": [6.0, 6.0, 2.0]},
    }
    rows = {row[0]: row for row in script.rows_of(seconds)}
    assert rows["predict"][1:4] == ("jax", 1.0, 2.0)
    assert rows["predict"][4][1] == np.median([0.5, 2.0, 1.0])
    assert rows["the way back"][2:4] == (2.0, 4.0)
    assert rows["the way back"][4][1] == np.median([1 / 4, 2 / 4, 3 / 1])


class Started:
    def __init__(self, image, moved, weights=3):
        self.start = {"image": image, "moved": moved, "weights": weights}


def test_other_images_or_gradients_are_refused(script):
    theirs = Started([[1.0, 2.0]], [1.0])
    same = Started([[1.0, 2.0001]], [1.0])
    assert script.check({"jax": same, "torch": theirs}, "picard")["jax"][1] == 0
    for other in (Started([[1.0, 2.1]], [1.0]), Started([[1.0, 2.0]], [-1.0])):
        with pytest.raises(RuntimeError, match="differ by"):
            script.check({"jax": other, "torch": theirs}, "picard")
    more = Started([[1.0, 2.0]], [1.0], weights=4)
    with pytest.raises(RuntimeError, match="weights"):
        script.check({"jax": more, "torch": theirs}, "picard")


def test_says_what_is_missing(script, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert script.main([]) == 1
    assert "pip install deepinv" in capsys.readouterr().out


def test_nonsense_is_refused(script, capsys):
    with pytest.raises(SystemExit, match="2"):
        script.main(["--rounds", "0"])
    assert "--rounds must be at least 1" in capsys.readouterr().err
