import numpy as np
import pytest

from loupe_tf.masks import binarize, half_plane


def slow_binarize(prob, entries, region):
    """Take one entry at a time: the largest that is left, the first of ties."""
    mask = np.zeros(prob.shape, dtype=bool)
    for inside in (True, False):
        while mask.sum() < entries:
            best = None
            for index in np.ndindex(prob.shape):
                if mask[index] or region[index] != inside:
                    continue
                if best is None or prob[index] > prob[best]:
                    best = index
            if best is None:
                break
            mask[best] = True
    return mask


@pytest.mark.parametrize(
    "shape, calibration, region",
    [
        ((7, 8), None, np.s_[:0]),
        ((7, 8), 3, np.s_[2:5, 3:6]),
        ((7, 8), (1, 4), np.s_[3:4, 2:6]),
        ((1, 23), None, np.s_[:0]),
        ((1, 23), 3, np.s_[:, 10:13]),
        ((24, 1), 4, np.s_[10:14]),
    ],
)
@pytest.mark.parametrize("acceleration", [2, 3.7, 5])
@pytest.mark.parametrize("levels", [1, 3, 10**9])
def test_agrees_with_slow_version(
    shape, calibration, region, acceleration, levels
):
    rng = np.random.default_rng(levels)
    prob = rng.integers(levels, size=shape) / levels  # Few levels: many ties.
    inside = np.zeros(shape, dtype=bool)
    inside[region] = True
    entries = round(prob.size / acceleration)
    if inside.sum() > entries:
        pytest.skip("infeasible")
    mask = binarize(prob, acceleration, calibration)
    assert mask.dtype == bool
    assert mask.shape == shape
    np.testing.assert_array_equal(mask, slow_binarize(prob, entries, inside))


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint8"])
def test_dtypes(dtype):
    prob = np.array([[3, 1, 0, 2]], dtype=dtype)
    assert binarize(prob, 2).tolist() == [[True, False, False, True]]


def test_booleans_infinities_and_signed_zeros():
    assert binarize([[False, True, True, False]], 2).tolist() == [
        [False, True, True, False]
    ]
    assert binarize([[0, -np.inf, np.inf, 1]], 2).tolist() == [
        [False, False, True, True]
    ]
    assert binarize([[-0.0, 0.0]], 2).tolist() == [[True, False]]
    # The calibration region comes first, whatever the values.
    assert binarize([[np.inf, 1, -np.inf, 0]], 4, 1).tolist() == [
        [False, False, True, False]
    ]


def test_does_not_change_its_input():
    prob = np.random.default_rng(0).random((4, 4))
    before = prob.copy()
    binarize(prob, 2, 2)
    np.testing.assert_array_equal(prob, before)


@pytest.mark.parametrize(
    "prob",
    [
        np.zeros(4),
        np.zeros((1, 4, 4, 1)),
        np.zeros((0, 4)),
        np.zeros((4, 4), complex),
        np.zeros((4, 4), object),
        [["a", "b"]],
        0.5,
    ],
)
def test_refuses_what_is_not_a_real_matrix(prob):
    with pytest.raises(
        ValueError, match="`prob`. Expected a real array .* Received: prob of"
    ):
        binarize(prob, 2)


def test_refuses_nan():
    prob = np.zeros((4, 4))
    prob[1, 2] = np.nan
    with pytest.raises(ValueError, match="Expected no NaN.* 1 NaN of 16"):
        binarize(prob, 2)


def test_refuses_calibration_beyond_the_budget():
    assert binarize(np.zeros((8, 8)), 4, 4).sum() == 16
    with pytest.raises(
        ValueError,
        match="`calibration`. .* budget of 16 .*calibration=5, which is 25",
    ):
        binarize(np.zeros((8, 8)), 4, 5)


def test_refuses_acceleration():
    with pytest.raises(ValueError, match="`acceleration`"):
        binarize(np.zeros((8, 8)), 1)


@pytest.mark.parametrize("shape", [(6, 8), (7, 9), (1, 9), (8, 1)])
def test_half_plane(shape):
    prob = np.random.default_rng(0).uniform(size=shape)
    half = half_plane(shape)
    mask = binarize(prob, 3, calibration=1, half_plane=True)
    assert mask.sum() == round(mask.size / 3)
    assert not (mask & ~half).any()
    assert mask[shape[0] // 2, shape[1] // 2]
    kept = np.sort(prob[mask])
    assert kept[1] >= prob[half & ~mask].max()  # All but DC, maybe.
    with pytest.raises(ValueError, match="`acceleration`.*half-plane"):
        binarize(prob, 1.3, half_plane=True)
