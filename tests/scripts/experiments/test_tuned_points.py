import numpy as np
import pytest

from experiments import tuned_points
from loupe_tf import masks
from loupe_tf.datasets import Slices

SETTINGS = {"regularizations": [1e-3, 10.0], "tuning_slices": 1}


@pytest.fixture
def part(images):
    return Slices(images, np.repeat(["a", "b"], len(images) // 2))


def choose(name, part, coils=1, seed=0):
    return tuned_points.choose(
        *(name, (16, 18), 2.5, seed, "total_variation", part, coils, SETTINGS)
    )


@pytest.mark.parametrize("coils", [1, 2])
def test_the_best_on_validation_is_chosen(part, coils, monkeypatch):
    pytest.importorskip("sigpy")
    # The first is hardly denser in the centre than at the edge.
    widths = [{"std": std} for std in (50.0, 0.5)]
    monkeypatch.setitem(tuned_points.CANDIDATES, "tuned_gaussian", widths)
    mask, method, record = choose("tuned_gaussian", part, coils, seed=3)
    assert method.regularization == record["regularization"] == 1e-3
    best = max(record["tried"], key=lambda pair: pair[1])
    assert record["chosen"] == best[0] == {"std": 0.5}
    assert len({psnr for _, psnr in record["tried"]}) == 2
    expected = masks.gaussian((16, 18), 2.5, 2, std=0.5, seed=3)
    np.testing.assert_array_equal(mask.array, expected.array)


def test_a_poisson_disc_has_two_parameters(part, monkeypatch):
    pytest.importorskip("sigpy")
    every = tuned_points.CANDIDATES["tuned_poisson_disc"]
    assert {"growth": 1.0, "corners": True} in every
    monkeypatch.setitem(
        tuned_points.CANDIDATES, "tuned_poisson_disc", every[1:2]
    )
    mask, _, record = choose("tuned_poisson_disc", part)
    assert record["chosen"] == {"growth": 0.0, "corners": False}
    assert mask.provenance["corners"] is False and mask.acquired == 115
