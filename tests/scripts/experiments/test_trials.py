import numpy as np
import pytest

from experiments import trials
from loupe_tf import evaluation, masks
from loupe_tf.datasets import Slices
from loupe_tf.reconstruction import ZeroFilled


def test_every_mask_is_judged(tmp_path, images):
    paths = {name: tmp_path / f"{name}.npz" for name in ("a", "b", "none")}
    for seed, name in enumerate(("a", "b")):
        masks.gaussian((16, 18), 4, seed=seed).save(paths[name])
    test = Slices(images, np.repeat(["v", "w"], 4))

    def choose(mask):
        return ZeroFilled(), {"acquired": mask.acquired}

    results, pictures = trials.try_on_all(paths, choose, test)
    assert list(results) == ["a", "b", "none"]
    assert "no " in results["none"]["error"]
    mask = masks.SamplingMask.load(paths["b"])
    expected = evaluation.judge(ZeroFilled(), mask, images, test.volumes)
    assert results["b"] == {"acquired": mask.acquired, **expected}
    assert set(pictures) == {"truth", "a", "b"}
    np.testing.assert_allclose(
        pictures["b"],
        evaluation.reconstruct(ZeroFilled(), mask, images[2:3]),
    )


def test_failures():
    results = {
        "a": {"error": "its training has diverged"},
        "b": {"refused": {"w": "it is not finite"}},
        "c": {"unit_range": {}},
    }
    assert trials.failures("try", {"error": None, "results": results}) == [
        "try: a: its training has diverged.",
        "try: b: volume w left out, it is not finite.",
    ]
    assert trials.failures("train", {"error": "diverged"}) == [
        "train: diverged."
    ]


def test_what_a_training_has_not_left(tmp_path):
    with pytest.raises(ValueError, match="no masks/a.npz: its training"):
        trials.find_file(tmp_path / "masks" / "a.npz")


def test_regularization_is_chosen_for_each_mask(images):
    masks_of = [masks.gaussian((16, 18), 4, seed=seed) for seed in (0, 1)]
    choose = trials.tuned("total_variation", images, [0.01, 0.1], 2)
    for mask in masks_of:
        expected, _ = evaluation.tune(
            "total_variation", mask, images, [0.01, 0.1], 2
        )
        found, chosen = choose(mask)
        assert chosen == {"regularization": expected.regularization}
        assert found.regularization == expected.regularization
    assert trials.tuned("zero_filled", images, [0.1], 2)(mask)[1] == {}
    method = ZeroFilled()
    assert trials.always(method)(mask) == (method, {})
