import numpy as np
import pytest

from loupe_tf import cli, masks
from loupe_tf.cli import evaluate
from loupe_tf.cli.training import models
from loupe_tf.masks.fixed_mask import Pattern


@pytest.mark.parametrize("name", masks.PATTERNS)
def test_fixed_masks_have_the_budget(images, name):
    pattern = masks.PATTERNS[name]
    mask = masks.fixed_mask(name, images, 4, seed=3)
    entries = 18 if pattern.of_lines else 16 * 18
    assert mask.acquired == round(entries / 4)
    assert mask.provenance["pattern"] == name
    # 8 % of the smaller side, and the spectrum finds its own.
    assert mask.calibration == (None if pattern.of_images else 1)
    assert masks.fixed_mask(name, images, 4, 2).calibration == 2
    if not pattern.of_images:
        assert mask.provenance["seed"] == 3


def test_the_kind_of_lines(images):
    for lines, shape in (("rows", (16, 1)), ("columns", (1, 18))):
        mask = masks.fixed_mask("equispaced_lines", images, 2, lines=lines)
        assert mask.shape == shape
    with pytest.raises(ValueError, match="`lines`.*gaussian has points"):
        masks.fixed_mask("gaussian", images, 4, lines="rows")


def test_unknown_names_are_refused(images):
    message = "`pattern`.*uniform_random.*no such pattern"
    with pytest.raises(ValueError, match=message):
        masks.fixed_mask("no such pattern", images, 4)
    with pytest.raises(ValueError, match="`acceleration`"):
        masks.fixed_mask("gaussian", images, 1)


def diagonals(shape, acceleration, calibration=None, seed=0):
    distance = (np.indices(shape).sum(axis=0) + seed) % round(acceleration)
    return masks.SamplingMask(
        masks.binarize(-distance, acceleration, calibration),
        acceleration,
        calibration,
        provenance={"pattern": "diagonals"},
    )


def test_a_new_pattern_is_added_in_one_place(images, monkeypatch):
    monkeypatch.setitem(masks.PATTERNS, "diagonals", Pattern(diagonals))
    mask = masks.fixed_mask("diagonals", images, 4)
    assert mask.provenance["pattern"] == "diagonals" and mask.calibration == 1
    options = cli.parser().parse_args(["evaluate", "--mask", "diagonals"])
    evaluate.check({**vars(options), "baseline": ["diagonals"]})
    words = ["train", "--baseline", "diagonals"]
    options = cli.parser().parse_args(words)
    assert models.fixed_mask(options, (16, 18)).shape == (16, 18)
    assert cli.main([*words, "--lines", "rows"]) == 2  # It is none of lines.
