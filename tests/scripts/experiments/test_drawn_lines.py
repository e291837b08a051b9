import numpy as np
import pytest

from experiments.drawn_lines import DrawnLines
from loupe_tf import masks
from loupe_tf.datasets import Slices


@pytest.fixture
def part(rng):
    """Five slices of two volumes."""
    return Slices(
        rng.uniform(size=(5, 16, 16, 1)).astype("float32"),
        np.array(["a", "a", "b", "b", "b"]),
    )


@pytest.fixture
def lines():
    return DrawnLines(masks.random_lines, 16, 4.0, 2)


def test_counts_what_is_acquired(lines):
    assert lines(3).array.shape == (1, 16)
    lines(4)
    assert lines.achieved_acceleration() == pytest.approx(4.0)


def test_training_has_other_masks_in_each_epoch(lines, part):
    batches = lines.batches(part, 5, seed=0)
    drawn = []
    for epoch in range(2):
        batches.set_epoch(epoch)
        drawn.append(batches.masks(range(5))[:, 0, :, 0])
    assert (drawn[0] != drawn[1]).any()


def test_each_volume_has_a_mask_of_its_name(lines, part):
    drawn = lines.batches_by_volume(part, 2).masks(range(5))[:, 0, :, 0]
    assert (drawn[0] == drawn[1]).all() and (drawn[2] == drawn[4]).all()
    assert (drawn[0] != drawn[2]).any()
    last = lines.batches_by_volume(part.select(slice(2, None)), 2)
    assert (last.masks(range(3))[0, 0, :, 0] == drawn[2]).all()
