import numpy as np
import pytest

from loupe_tf.provenance import environment, provenance


def test_environment():
    facts = environment()
    assert "Keras" in facts["versions"] and "cores" in facts["hardware"]
    assert "accelerators" not in facts["hardware"]
    assert f", pytest {pytest.__version__}" in environment("pytest")["versions"]


def test_provenance():
    class Part:
        images = np.zeros((2, 12, 14, 1))

        def __str__(self):
            return "1 volumes (2 slices)"

    facts = provenance({"seed": 0}, "files", {"train": Part(), "test": Part()})
    assert facts["volumes"] == "train 1 volumes (2 slices), " + (
        "test 1 volumes (2 slices)"
    )
    assert facts["image size"] == "12×14" and facts["settings"] == "seed=0"
    assert facts["command"].startswith("python ") and "hardware" in facts
