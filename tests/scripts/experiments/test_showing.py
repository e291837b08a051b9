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
