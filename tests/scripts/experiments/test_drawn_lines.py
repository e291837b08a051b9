import numpy as np
import pytest

import experiments
from experiments import drawn_lines
from loupe_tf import masks, models
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
    return drawn_lines.of("random", 16, 4.0)


def test_calibration_lines_are_8_and_4_percent():
    calibration_lines = drawn_lines.calibration_lines
    assert calibration_lines(64, 4) == 5
    assert calibration_lines(64, 8) == 3
    assert calibration_lines(320, 4) == 26
    assert calibration_lines(320, 8) == 13
    assert calibration_lines(13, 8) == 1
    with pytest.raises(ValueError, match="13 columns or more.*12 columns"):
        calibration_lines(12, 8)


def test_other_masks_are_not_drawn(lines):
    assert lines.pattern is masks.random_lines
    equispaced = drawn_lines.of("equispaced", 16, 4.0)
    assert equispaced.pattern is masks.equispaced_lines
    assert drawn_lines.of("learned", 16, 4.0) is None


def test_counts_what_is_acquired_in_training(lines, part):
    assert lines(3).array.shape == (1, 16)
    lines.batches_by_volume(part, 2).masks(range(5))
    assert lines.shares == []
    lines.batches(part, 5, seed=0).masks(range(5))
    assert len(lines.shares) == 5
    assert lines.achieved_acceleration() == pytest.approx(4.0)


def test_a_column_of_what_was_acquired():
    records = [{"achieved_acceleration": {"training": None, "test": 4.0}}, {}]
    table = {name: drawn_lines.achieved(name) for name in ("training", "test")}
    assert experiments.table({(4.0,): records}, table) == (
        ["training", "test"],
        [["-", "4.000"]],
    )


def test_training_data(lines, part):
    splits = {"train": part, "validation": part}
    train, validation = drawn_lines.training_data(splits, 2, 0)
    assert train is validation is part.images
    train, validation = drawn_lines.training_data(splits, 2, 0, lines)
    for batches in (train, validation):
        (images, drawn), target = batches[0]
        assert (target == images).all() and len(drawn) == len(images) == 2
    drawn = validation.masks(range(2))
    assert (drawn[0] == drawn[1]).all()


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


def test_judge(part):
    mask = masks.random_lines((16, 16), 4, 1, seed=0)
    model = models.loupe_model((16, 16, 1), mask=mask, filters=1, depth=1)
    metrics, achieved, images = drawn_lines.judge(model, part, 2)
    assert set(metrics) == {"unet", "zero_filled"}
    assert set(metrics["unet"]["slice"]) == {"a", "b"}
    assert achieved == pytest.approx(4)
    assert (images["mask"] == mask.array).all()
    # The middle slice of the first volume.
    assert (images["truth"] == part.images[1]).all()
    # A network of zeros adds nothing to the zero-filled image.
    np.testing.assert_allclose(images["unet"], images["zero_filled"], atol=1e-5)
    part.images[4] = np.nan
    assert drawn_lines.judge(model, part, 2) == (None, None, None)
