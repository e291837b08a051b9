import numpy as np
import pytest

from loupe_tf import evaluation, masks
from loupe_tf.evaluation import tuning
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.reconstruction import TotalVariation, ZeroFilled
from loupe_tf.simulation import birdcage_maps


def test_tune_looks_at_a_few_slices_of_all(images, monkeypatch):
    seen = {}

    def choose(reconstructor, candidates, kspaces, masks, targets, maps):
        seen.update(locals())
        return reconstructor, {}

    monkeypatch.setattr(tuning, "choose_regularization", choose)
    many = np.repeat(images, 2, axis=0)
    many[[0, 1, 5]] = 0  # Empty slices say nothing.
    mask = np.ones((1, 18), bool)
    evaluation.tune("total_variation", mask, many, [0.1], slices=3)
    # Of slices 2, 3, 4, 6 ... 15 in parts of 5, 4, 4: their middles.
    assert seen["candidates"] == [0.1]
    for target, row in zip(seen["targets"], [4, 10, 14], strict=True):
        np.testing.assert_array_equal(target, many[row, ..., 0])
    for kspace, target in zip(seen["kspaces"], seen["targets"]):
        energy = np.linalg.norm(target)
        assert np.linalg.norm(kspace) == pytest.approx(energy, rel=1e-5)


def test_tune_keeps_the_best(images):
    pytest.importorskip("sigpy")
    mask = masks.fixed_mask("random_lines", images, 2)
    best, scores = evaluation.tune(
        "total_variation", mask, images, [0.0, 0.01, 10.0], slices=2
    )
    assert isinstance(best, TotalVariation)
    assert best.regularization == max(scores, key=scores.get) == 0.01
    assert evaluation.tune("zero_filled", mask, images) == (ZeroFilled(), {})
    with pytest.raises(ValueError, match="`images`.*not constant"):
        evaluation.tune("total_variation", mask, np.ones((2, 16, 18, 1)))


def test_an_unknown_method_is_refused(images):
    with pytest.raises(ValueError, match="`method`.*zero_filled.*magic"):
        evaluation.tune("magic", np.ones((1, 18)), images)


def test_tune_with_coils_and_noise(images, rng, monkeypatch):
    mask = masks.equispaced_lines((16, 18), 2, calibration=8)
    maps = np.stack(
        [birdcage_maps((16, 18), 4, angle=i / 9) for i in range(len(images))]
    )
    seen = {}

    def choose(reconstructor, candidates, kspaces, masks, targets, maps):
        seen.update(locals())
        return reconstructor, {}

    monkeypatch.setattr(tuning, "choose_regularization", choose)
    kspace = fft2c(maps * images[:, None, ..., 0]) + 0.1
    method, _ = evaluation.tune(
        "sense", mask, images, slices=2, maps=maps, kspace=kspace
    )
    assert method == evaluation.OF_COILS["sense"]
    for i, row in enumerate((2, 6)):
        np.testing.assert_array_equal(seen["maps"][i], maps[row])
        np.testing.assert_allclose(
            seen["kspaces"][i], kspace[row] * mask.array, rtol=1e-5
        )
    with pytest.raises(ValueError, match="`method`"):
        evaluation.tune("sense", mask, images)
