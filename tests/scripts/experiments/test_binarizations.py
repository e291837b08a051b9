import numpy as np
import pytest

from experiments.binarizations import (
    BINARIZATIONS,
    average_realization,
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
