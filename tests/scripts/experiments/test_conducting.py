import dataclasses

import keras
import numpy as np
import pytest

import experiments
from experiments.conducting import in_folds
from experiments.presets.comparing_masks import TRAINING
from loupe_tf.datasets import Slices
from loupe_tf.models import loupe_model
from loupe_tf.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Run:
    size: int
    seed: int

    @property
    def name(self):
        return f"{self.size}-{self.seed}"


GRID = [Run(size, seed) for size in (1, 2) for seed in (0, 1)]


@pytest.fixture
def settings(tmp_path, rng):
    (tmp_path / "data").mkdir()
    for i in range(4):
        volume = rng.uniform(size=(2, 12, 14)).astype("float32")
        np.save(tmp_path / "data" / f"{i}.npy", volume)
    return {
        "data": str(tmp_path / "data"),
        "data_dir": None,
        "out": str(tmp_path / "out"),
        "epochs": 3,
    }


def _conduct(settings, todo=GRID, refused=None, own=None):
    built, trained = [], []

    def build(run, settings, shape):
        built.append((run.name, shape))
        if run.size == refused:
            raise ValueError("Expected another size")

    def train(run, settings, splits, folder):
        trained.append(run.name)
        return {"name": run.name, "slices": len(splits["train"].images)}

    found = experiments.conduct(
        settings,
        todo,
        build,
        train,
        kind=lambda run: run.size,
        free=("data_dir", "out"),
        own=own,
    )
    return found, built, trained


def test_trains_what_is_missing(settings):
    (folder, facts, records), built, trained = _conduct(settings, GRID[:1])
    assert trained == ["1-0"] and facts["image size"] == "12×14"
    (folder, facts, records), built, trained = _conduct(settings)
    # One model of each kind is tried.
    assert [name[0] for name, _ in built] == ["1", "2"]
    assert {shape for _, shape in built} == {(12, 14, 1)}
    assert trained == ["1-1", "2-0", "2-1"]
    assert [r["name"] for r in records] == ["1-0", "1-1", "2-0", "2-1"]


def test_takes_so_many_slices_of_each_split(settings):
    settings["images"] = [3, 1, 9]
    (_, facts, records), _, _ = _conduct(settings, GRID[:1])
    # Both volumes, and of a split with fewer all that it has.
    assert facts["volumes"] == (
        "train 2 volumes (3 slices), validation 1 volume (1 slices), "
        "test 1 volume (2 slices)"
    )
    assert records[0]["slices"] == 3
    # With other settings it is another experiment.
    with pytest.raises(ValueError, match="images=None"):
        _conduct({**settings, "images": None}, GRID[:1])


def test_refuses_before_the_first_training(settings, tmp_path):
    with pytest.raises(ValueError, match="another size"):
        _conduct(settings, refused=2)
    assert not (tmp_path / "out").exists()
    _conduct(settings, GRID[:1])
    with pytest.raises(ValueError, match="epochs=4.*epochs=3"):
        _conduct({**settings, "epochs": 4})


@pytest.mark.parametrize("learns, backup", [(True, True), (False, False)])
def test_fit(tmp_path, images, learns, backup):
    sampling = {"acceleration": 4} if learns else {"mask": np.eye(16, 18)}
    model = loupe_model((16, 18, 1), **sampling, filters=2, depth=1, seed=0)
    model.compile("adam", loss="mse")
    settings = {
        **TRAINING["smoke"],
        "backup": backup,
        "slope": 20.0,
    }
    folder = RunFolder(tmp_path)
    arguments = model, GRID[0], settings, images, images, folder
    history, finite = experiments.fit(*arguments)
    assert history["round"] == [1, 1, 2] and finite
    assert ("slope" in history) == learns
    # Where it is kept, a finished training is not done again.
    assert (tmp_path / "unfinished" / "1-0").exists() == backup
    again, _ = experiments.fit(*arguments)
    assert (again["loss"] == history["loss"]) == backup


def test_refuses_a_record_of_other_settings(settings):
    def own(run, settings):
        return {"size": run.size, "epochs": (settings["epochs"], 1)}

    _conduct(settings, GRID[:2])
    runs = RunFolder(settings["out"]) / "runs"
    # The first was trained with these; the second does not say.
    (runs / "1-0.json").write_text(
        '{"settings": {"size": 1, "epochs": [3, 1]}}'
    )
    _conduct(settings, GRID[:2], own=own)
    (runs / "1-0.json").write_text(
        '{"settings": {"size": 1, "epochs": [4, 1]}}'
    )
    _conduct(settings, GRID[1:2], own=own)
    with pytest.raises(ValueError, match=r"1-0.*\[3, 1\].*\[4, 1\]"):
        _conduct(settings, GRID[:2], own=own)


def test_fit_in_parts(tmp_path, images):
    model = loupe_model((16, 18, 1), 4, slope=20.0, filters=2, depth=1)
    model.compile("adam", loss="mse")
    settings = {**TRAINING["smoke"], "backup": True}
    folder = RunFolder(tmp_path)
    seen = keras.callbacks.LambdaCallback(lambda epoch, logs: epochs.append(1))
    epochs = []
    with experiments.time_spent(GRID[0], folder) as seconds:
        for part in ("one", "two"):
            history, _ = experiments.fit(
                *(model, GRID[0], settings, images, images, folder),
                slope_callback=False,
                callbacks=[seen],
                part=part,
            )
            assert set(history["slope"]) == {20.0}
    assert len(epochs) == 6 and seconds() > 0
    parts = {path.name for path in (tmp_path / "unfinished/1-0").iterdir()}
    assert parts >= {"one", "two"}


@dataclasses.dataclass(frozen=True)
class FoldedRun(experiments.Run):
    size: int
    seed: int

    @property
    def stem(self):
        return f"{self.size}-{self.seed}"


def test_each_fold_has_seeds_and_a_name_of_its_own():
    runs = in_folds([FoldedRun(1, 0), FoldedRun(1, 1)], 3)
    assert [run.seed for run in runs] == [0, 100, 200, 1, 101, 201]
    assert runs[1].name == "1-100-fold1"
    assert in_folds(GRID, None) == GRID
    (run,) = in_folds([FoldedRun(1, 0)], 3, only=[2])
    assert run.name == "1-200-fold2"


def test_every_patient_is_tested_once(settings, monkeypatch, rng):
    patients = np.repeat(["p", "q", "r"], 4)
    every = Slices(
        rng.uniform(size=(12, 6, 7, 1)).astype("float32"),
        np.repeat(["p1", "p2", "q1", "q2", "r1", "r2"], 2),
        patients,
    )
    splits = {"train": every.select(patients != "q")}
    splits["validation"] = splits["test"] = every.select(patients == "q")
    splits["test"] = splits["test"].select(slice(0, 0))
    monkeypatch.setattr(
        "loupe_tf.datasets.load_splits", lambda *_: (splits, "files, split")
    )
    settings["folds"] = 3

    def train(run, settings, splits, folder):
        tested = np.unique(splits["test"].patients).tolist()
        validated = np.unique(splits["validation"].patients).tolist()
        return {"fold": run.fold, "split": [tested, validated]}

    folder, facts, records = experiments.conduct(
        settings,
        in_folds([FoldedRun(1, 0)], 3),
        lambda run, settings, shape: None,
        train,
        free=("data_dir", "out"),
    )
    assert [record["split"] for record in records] == [
        [["p"], ["q"]],
        [["q"], ["r"]],
        [["r"], ["p"]],
    ]
    assert records[1]["patients"] == {"q1": "q", "q2": "q"}
    assert facts["volumes"].startswith("6 volumes (12 slices), 3 folds")
    settings["folds"] = 4
    with pytest.raises(ValueError, match="patients, 3.*Use 3 folds"):
        experiments.conduct(
            settings, [], lambda *_: None, train, free=("data_dir", "out")
        )
