import numpy as np
import pytest

from experiments.binarizations import (
    BINARIZATIONS,
    average_realization,
    judge,
    judge_binarizations,
)
from loupe_tf import masks
from loupe_tf.datasets import Slices
from loupe_tf.models import loupe_model


@pytest.fixture
def model():
    return loupe_model((16, 18, 1), 4, slope=20.0, filters=1, depth=1, seed=0)


@pytest.fixture
def part(images):
    return Slices(images, np.array(["a"] * 3 + ["b"] * 5))


def test_judge_binarizations(model, part):
    found = judge_binarizations(model, part, 4)
    assert set(found) == set(BINARIZATIONS)
    assert found["exact"]["achieved_acceleration"] == pytest.approx(4)
    assert set(found["relaxed"]["volumes"]) == {"a", "b"}


def test_what_is_not_finite_is_left_out(model, part):
    part.images[0] = np.nan
    assert judge_binarizations(model, part, 4) == {}


def test_average_realization(model):
    probability = masks.probability_from_model(model)
    average = average_realization(model, 400)
    assert average.shape == (16, 18)
    # Realizations of slope 20 are nearly binary, and P is their mean.
    assert np.abs(average - probability).mean() < 0.05


def test_judge(model, part):
    found, images = judge(model, part, 4)
    assert found["slope_found"] == 20
    assert set(found["binarizations"]) == set(BINARIZATIONS)
    binary = np.abs(images["probability"] - 0.5) > 0.45
    assert found["near_binary"] == pytest.approx(binary.mean())
    assert sum(found["histogram"]) == images["average"].size == 16 * 18


def test_a_mask_that_is_not_finite_is_not_judged(model, part):
    model.set_weights([np.full(w.shape, np.nan) for w in model.get_weights()])
    found, images = judge(model, part, 4)
    assert found["binarizations"] == {} and images == {}
    assert "histogram" not in found
