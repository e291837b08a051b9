import numpy as np
import pytest

import loupe_tf
from experiments.other_data import other_data


def slices(*patients, size=8):
    return loupe_tf.datasets.Slices(
        images=np.ones((len(patients), size, size, 1), "float32"),
        volumes=np.array([f"{patient}_T1" for patient in patients]),
        patients=np.array(patients),
    )


SPLITS = {
    "train": slices("a", "b"),
    "validation": slices("c"),
    "test": slices("d"),
}


@pytest.mark.parametrize("folds, found", [(None, ["e"]), (4, ["d", "e"])])
def test_nobody_is_tested_who_was_trained_on(monkeypatch, folds, found):
    others = {
        "train": slices("d"),
        "validation": slices("b"),
        "test": slices("c", "e"),
    }
    monkeypatch.setattr(
        loupe_tf.datasets, "load_splits", lambda *_: (others, "")
    )
    settings = {"data_dir": None, "folds": folds}
    assert other_data("t1", settings, SPLITS).patients.tolist() == found
    others["test"] = slices("a")
    if folds is None:
        with pytest.raises(ValueError, match="without training"):
            other_data("t1", settings, SPLITS)


def test_files(tmp_path):
    np.save(tmp_path / "head.npy", np.ones((2, 8, 8), "float32"))
    found = other_data(str(tmp_path / "head.npy"), {}, SPLITS)
    assert len(found.images) == 2


def test_refuses_another_size(monkeypatch):
    others = {"test": slices("e", size=9)}
    monkeypatch.setattr(
        loupe_tf.datasets, "load_splits", lambda *_: (others, "")
    )
    with pytest.raises(ValueError, match=r"`?transfer`?.*\(8, 8\)"):
        other_data("t1", {"data_dir": None}, SPLITS)
