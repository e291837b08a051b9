import dataclasses
import json

import matplotlib.figure
import numpy as np
import pytest

import experiments
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


def _conduct(settings, todo=GRID, refused=None):
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


def test_refuses_before_the_first_training(settings, tmp_path):
    with pytest.raises(ValueError, match="another size"):
        _conduct(settings, refused=2)
    assert not (tmp_path / "out").exists()
    _conduct(settings, GRID[:1])
    with pytest.raises(ValueError, match="'epochs': 4.*'epochs': 3"):
        _conduct({**settings, "epochs": 4})


def test_publish(tmp_path, capsys):
    folder = RunFolder(tmp_path)
    figures = {
        "one": (matplotlib.figure.Figure(), "A caption."),
        "none": (None, "Not to be drawn."),
    }
    experiments.publish(
        folder,
        "A title",
        {"data": "files"},
        "PSNR of something.",
        (["R", "PSNR"], [["4", "30.0"]]),
        figures,
        ["It holds."],
        [{"name": "a"}],
        tables={"Another table.": (["SSIM"], [["0.9876"]])},
    )
    assert [path.name for path in tmp_path.glob("*.png")] == ["one.png"]
    page = (tmp_path / "report.html").read_text()
    others = ("Another table.", "0.9876")
    for text in (
        "A title",
        "A caption.",
        "It holds.",
        "30.0",
        "files",
        *others,
    ):
        assert text in page
    assert "Not to be drawn" not in page
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["runs"] == [{"name": "a"}]
    assert results["facts"]["convention"] == "PSNR of something."
    printed = capsys.readouterr().out
    for text in ("30.0", "It holds.", *others):
        assert text in printed


def test_to_trace_has_six_digits_and_no_nan():
    history = {
        "loss": [np.float32(1 / 3), float("nan")],
        "slope": [2e5, np.inf],
        "other": [1],
    }
    trace = experiments.to_trace(history, ("loss", "slope"))
    assert trace == {"loss": [0.333333, None], "slope": [2e5, None]}
    assert json.loads(json.dumps(trace)) == trace


def test_images_are_kept(tmp_path, rng):
    folder = RunFolder(tmp_path / "out")
    assert experiments.load_images(folder, "a") == {}
    image = rng.uniform(size=(3, 4, 1))
    experiments.save_images(folder, "a", mask=image[..., 0] > 0.5, image=image)
    found = experiments.load_images(folder, "a")
    assert found["image"].dtype == "float32"
    np.testing.assert_allclose(found["image"], image, atol=5e-4)
    np.testing.assert_array_equal(found["mask"], image[..., 0] > 0.5)
    experiments.save_images(RunFolder(tmp_path / "no", writes=False), "a", x=[])
    assert not (tmp_path / "no").exists()


PRESETS = {
    "paper": {"data": "a", "accelerations": [4.0], "epochs": 100},
    "smoke": {"data": "b", "accelerations": [8.0], "epochs": 1},
}


def _parse(*arguments):
    parser = experiments.argument_parser(
        "Title.\n\nText.", "name", PRESETS, "paper: long; smoke: short"
    )
    parser.add_argument("--accelerations", type=float, nargs="+")
    parser.add_argument("--epochs", type=int)
    return experiments.parse(parser, arguments)


def test_given_options_win_over_the_preset(capsys):
    assert _parse() == {
        **PRESETS["smoke"],
        "preset": "smoke",
        "data_dir": None,
        "out": "runs/name_smoke",
    }
    found = _parse("--preset", "paper", "--epochs", "7", "--out", "o")
    assert found["data"] == "a" and found["out"] == "o"
    assert found["epochs"] == 7
    assert PRESETS["paper"]["epochs"] == 100
    with pytest.raises(SystemExit):
        _parse("--accelerations", "4", "1")
    assert "--accelerations: expected R > 1, not 1" in capsys.readouterr().err


def test_training_options_win_over_the_preset():
    parser = experiments.argument_parser(
        "Text.", "name", experiments.TRAINING, "sizes"
    )
    experiments.add_training_options(parser)
    words = "--preset cpu --epochs 4 2 --filters 3 --accelerations 5 6"
    found = experiments.parse(parser, words.split())
    expected = {"epochs": [4, 2], "filters": 3, "accelerations": [5.0, 6.0]}
    assert found == {
        **experiments.TRAINING["cpu"],
        **expected,
        "preset": "cpu",
        "data_dir": None,
        "out": "runs/name_cpu",
    }


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("backup", [False, True])
def test_fit(tmp_path, images, learns, backup):
    sampling = {"acceleration": 4} if learns else {"mask": np.eye(16, 18)}
    model = loupe_model((16, 18, 1), **sampling, filters=2, depth=1, seed=0)
    model.compile("adam", loss="mse")
    settings = {
        **experiments.TRAINING["smoke"],
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


def test_help_tells_the_sizes(capsys):
    with pytest.raises(SystemExit):
        _parse("--help")
    found = " ".join(capsys.readouterr().out.split())
    assert "paper: long; smoke: short (smoke). Other options win" in found
    assert "folder of the results (runs/name_PRESET)" in found
