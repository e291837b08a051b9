import inspect

import numpy as np
import pytest

from loupe_tf.models import loupe_model
from loupe_tf.samplers import (
    GivenMask,
    LearnedMask,
    MaskInput,
    RowsAndColumns,
    from_keywords,
)

MASK = np.ones((16, 18), bool)


@pytest.mark.parametrize(
    "keywords, kind",
    [
        ({"acceleration": 4}, LearnedMask),
        ({"acceleration": (4, 8), "lines": "rows"}, LearnedMask),
        ({"sparsity_penalty": 0.1, "groups": 3}, LearnedMask),
        ({"acceleration": 4, "lines": "both"}, RowsAndColumns),
        ({"mask": MASK}, GivenMask),
        # What is left alone, or none, and the seed, go with every kind.
        ({"mask": MASK, "calibration": None, "seed": 1}, GivenMask),
        (
            {"mask": MASK, "estimator": "relaxed", "half_plane": False},
            GivenMask,
        ),
        ({"mask_input": True, "seed": 1, "prob_slope": 5.0}, MaskInput),
    ],
)
def test_kind(keywords, kind):
    sampler = from_keywords(**keywords)
    assert type(sampler) is kind
    config = sampler.get_config()
    for name, value in keywords.items():
        if name in config and kind is not GivenMask:
            assert config[name] == value


def test_defaults_are_those_of_loupe_model():
    """Who leaves a keyword alone gets the same, whichever way it goes."""
    of_model = inspect.signature(loupe_model).parameters
    of_mask = inspect.signature(LearnedMask).parameters
    # A given mask may know that it lies in a half-plane; to others, `None` is
    # `False`.
    assert {n: of_model[n].default for n in of_mask} == {
        n: p.default for n, p in of_mask.items()
    } | {"half_plane": None}
    assert from_keywords(acceleration=4, half_plane=None).half_plane is False


@pytest.mark.parametrize(
    "keywords, match",
    [
        ({"mask": MASK, "acceleration": 4}, "`acceleration`.*None.*given.*=4"),
        ({"mask": MASK, "lines": "rows"}, "`lines`.*None.*given.*'rows'"),
        ({"mask": MASK, "calibration": 4}, "`calibration`.*'auto'.*given.*=4"),
        ({"mask": MASK, "calibration": 0}, "`calibration`.*'auto'.*given.*=0"),
        ({"mask": MASK, "groups": 2}, "`groups`.*given"),
        ({"mask": MASK, "estimator": "concrete"}, "`estimator`.*'relaxed'"),
        ({"mask": MASK, "slope": 3.0}, "`slope`.*given"),
        ({"mask": MASK, "binarization": "sampled"}, "`binarization`.*'exact'"),
        ({"mask": MASK, "sparsity_penalty": 0.1}, "`sparsity_penalty`.*given"),
        ({"mask": MASK, "mask_input": True}, "`mask`.*None.*mask_input=True"),
        ({"mask_input": True, "acceleration": 4}, "`acceleration`.*mask_input"),
        ({"mask_input": True, "lines": "both"}, "`lines`.*mask_input"),
        ({"lines": "both", "groups": 2}, "`groups`.*lines='both'"),
        ({"lines": "both", "half_plane": True}, "`half_plane`.*lines='both'"),
        (
            {"lines": "both", "sparsity_penalty": 0.1},
            "`sparsity_penalty`.*lines='both'",
        ),
        # That of all kinds, whichever it is.
        ({"lines": "colums"}, "`lines`.*'columns', 'rows', 'both'.*colums"),
        ({"acceleration": 1}, "`acceleration`.*above 1"),
    ],
)
def test_what_does_not_go_together(keywords, match):
    if not {"mask", "mask_input"} & set(keywords):
        keywords = {"acceleration": 4, **keywords}
    with pytest.raises(ValueError, match=match):
        from_keywords(**keywords)


@pytest.mark.parametrize("keywords", [{"acceleration": 4}, {"mask": MASK}])
def test_unknown_keyword(keywords):
    with pytest.raises(TypeError, match="accelerations"):
        from_keywords(**keywords, accelerations=4)
