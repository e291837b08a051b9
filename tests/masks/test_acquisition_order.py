import itertools

import numpy as np
import pytest

from loupe_tf.masks import (
    SamplingMask,
    acquisition_order,
    gaussian,
    poisson_disc,
    random_lines,
)
from loupe_tf.masks.acquisition_order import ORDERS

MASKS = [
    random_lines((40, 33), 4, 5),
    random_lines((40, 33), 3, 4, lines="rows"),
    gaussian((17, 20), 4, 3),
    poisson_disc((24, 21), 6, (3, 5)),
    SamplingMask([[0, 1, 0]]),
    SamplingMask([[1]]),
    SamplingMask(np.zeros((3, 4))),
    SamplingMask(np.zeros((1, 4))),
    SamplingMask(np.ones((3, 4))),
]


def jumps(order):
    order = np.asarray(order, dtype=float).reshape(len(order), -1)
    return np.sqrt(np.sum(np.diff(order, axis=0) ** 2, axis=1))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mask", MASKS, ids=lambda m: f"{m.shape}")
def test_each_entry_once(mask, order):
    found = acquisition_order(mask, order)
    array = np.zeros(mask.shape, dtype=int)
    if mask.lines:
        assert found.shape == (mask.acquired,)
        np.add.at(array.reshape(-1), found, 1)
    else:
        assert found.shape == (mask.acquired, 2)
        np.add.at(array, tuple(found.T), 1)
    np.testing.assert_array_equal(array, mask.array)


def test_orders_of_lines():
    mask = SamplingMask([[1, 1, 0, 1, 1, 1, 0, 1]])  # DC at 4
    assert acquisition_order(mask).tolist() == [0, 1, 3, 4, 5, 7]
    found = acquisition_order(mask, "centre_out").tolist()
    assert found == [4, 3, 5, 1, 7, 0]
    assert acquisition_order(mask, "smooth").tolist() == [0, 3, 5, 7, 4, 1]


def test_linear_and_centre_out_of_points():
    mask = SamplingMask(np.ones((3, 3)))
    assert acquisition_order(mask)[:4].tolist() == [
        [0, 0],
        [0, 1],
        [0, 2],
        [1, 0],
    ]
    found = acquisition_order(mask, "centre_out").tolist()
    assert found[0] == [1, 1]
    assert found[1:5] == [[0, 1], [1, 0], [1, 2], [2, 1]]


def test_shuffled_by_seed():
    mask = MASKS[0]
    first, second, other = (
        acquisition_order(mask, "shuffled", seed).tolist() for seed in (3, 3, 4)
    )
    assert first == second != other
    assert first != acquisition_order(mask).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_smooth_lines_have_no_large_jump_even_when_repeated(seed):
    mask = random_lines((8, 64), 4, 5, seed=seed)
    gaps = np.diff(acquisition_order(mask))
    largest = max(a + b for a, b in itertools.pairwise(gaps.tolist()))
    found = acquisition_order(mask, "smooth")
    # Over again: from the last line to the first.
    assert jumps([*found, found[0]]).max() <= largest
    linear = acquisition_order(mask)
    assert jumps([*linear, linear[0]]).max() > 2 * largest


@pytest.mark.parametrize(
    "make, acceleration",
    list(itertools.product((gaussian, poisson_disc), (3, 8, 20))),
)
def test_smooth_points(make, acceleration):
    mask = make((48, 40), acceleration, calibration=4)
    smooth = jumps(acquisition_order(mask, "smooth"))
    linear = jumps(acquisition_order(mask))
    assert np.mean(smooth**2) < np.mean(linear**2) / 4
    # Strips: at best 0.92 sqrt(N A) for points at random.
    assert smooth.sum() < 1.6 * np.sqrt(mask.acquired * mask.array.size)


def test_refuses_arguments():
    with pytest.raises(ValueError, match="`order`. Expected one of .*'spiral'"):
        acquisition_order(MASKS[0], "spiral")
    with pytest.raises(ValueError, match="`seed`. Expected an integer of at"):
        acquisition_order(MASKS[0], seed=-1)
