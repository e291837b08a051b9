import pytest

from loupe_tf import evaluation


@pytest.mark.parametrize("pattern", evaluation.PATTERNS)
def test_fixed_masks_have_the_budget(images, pattern):
    mask = evaluation.fixed_mask(pattern, images, 4, seed=3)
    entries = 18 if pattern.endswith("lines") else 16 * 18
    assert mask.acquired == round(entries / 4)
    assert mask.provenance["pattern"] == pattern
    # 8 % of the smaller side, and the spectrum finds its own.
    assert mask.calibration == (None if pattern == "spectrum" else 1)
    assert evaluation.fixed_mask(pattern, images, 4, 2).calibration == 2
    if pattern != "spectrum":
        assert mask.provenance["seed"] == 3


def test_unknown_names_are_refused(images):
    with pytest.raises(ValueError, match="`pattern`.*uniform_random.*spiral"):
        evaluation.fixed_mask("spiral", images, 4)
    with pytest.raises(ValueError, match="`acceleration`"):
        evaluation.fixed_mask("gaussian", images, 1)
