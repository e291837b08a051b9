import dataclasses

import numpy as np

import experiments.run
from experiments import save_images
from experiments.showing import draw_outputs, draw_rows, first_images
from loupe_tf.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Run(experiments.run.Run):
    mask: str
    seed: int

    @property
    def stem(self):
        return f"{self.mask}-{self.seed}"


def test_first_images(tmp_path):
    folder = RunFolder(tmp_path)
    for seed in (1, 2):
        save_images(folder, f"learned-{seed}", image=np.full((2, 2), seed))
    cells = {
        mask: [{"mask": mask, "seed": seed} for seed in (0, 1, 2)]
        for mask in ("learned", "random")
    }
    shown = first_images(cells, folder, Run.of)
    assert list(shown) == ["learned"]
    assert (shown["learned"]["image"] == 1).all()


def test_first_images_are_of_one_slice(tmp_path):
    """A folder may have records without images, and not of all cells."""
    folder = RunFolder(tmp_path)
    cells = {
        mask: [
            {"mask": mask, "seed": 100 * fold, "fold": fold}
            for fold in (0, 1, 2, 10)
        ]
        for mask in ("learned", "random", "old")
    }
    kept = {"learned": (0, 2, 10), "random": (2, 10)}
    for mask, folds in kept.items():
        for fold in folds:
            name = f"{mask}-{100 * fold}-fold{fold}"
            save_images(folder, name, image=np.full((2, 2), fold))
    shown = first_images(cells, folder, Run.of)
    assert list(shown) == ["learned", "random"]
    for images in shown.values():
        assert (images["image"] == 2).all()
    assert first_images({}, folder, Run.of) == {}


def test_outputs_are_drawn_in_groups(rng):
    truth, output = rng.uniform(size=(2, 9, 9, 1))
    images = {"truth": truth, "output": output}
    assert draw_outputs() is None and draw_outputs({}) is None
    one = draw_outputs({"a": images, "b": images}, {})
    assert [ax.get_title() for ax in one.axes][::2] == [
        "truth",
        "|error| × 5",
        "|error| × 5",
    ]
    many = draw_outputs(dict.fromkeys("abc", images))
    assert [ax.get_title() for ax in many.axes][:4] == ["truth", *"abc"]
    two = draw_outputs(
        {"a": {**images, "voxel_size": (2.0, 1.0, 1.0)}}, {"b": images}
    )
    assert len(two.subfigs) == 2


def test_draw_rows(rng):
    groups = {
        mask: {
            name: rng.uniform(size=(8, 9, 1)) for name in ("truth", "a", "b")
        }
        for mask in ("learned", "random")
    }
    figure = draw_rows(groups, {"a": "First", "b": "Second"})
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert [text for text in labels if text] == ["First", "Second"]
