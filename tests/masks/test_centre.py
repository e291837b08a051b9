import numpy as np
import pytest

from loupe_tf.masks import (
    SamplingMask,
    centred,
    dc_position,
    equispaced_lines,
    gaussian,
    poisson_disc,
    random_lines,
    uniform_random,
)


def examples():
    for shape in ((64, 64), (63, 80)):
        for acceleration in (3, 6):
            yield gaussian(shape, acceleration, std=0.3)
            yield gaussian(shape, acceleration, calibration=9)
            yield poisson_disc(shape, acceleration, 5)
            yield random_lines(shape, acceleration)
            yield equispaced_lines(shape, acceleration, lines="rows")


@pytest.mark.parametrize("mask", list(examples()), ids=repr)
def test_position(mask):
    assert dc_position(mask.array) == "centre"
    assert dc_position(np.fft.ifftshift(mask.array)) == "corner"


def test_uniform_masks_do_not_tell():
    found = [
        dc_position(uniform_random((31, 32), 4, seed=seed).array)
        for seed in range(300)
    ]
    # 0.3 % beyond three deviations, 1 % beyond two, at most 2 % with a block.
    assert sum(position is not None for position in found) <= 10
    assert dc_position(np.arange(40)[None] % 4 == 0) is None


@pytest.mark.parametrize("array", [np.ones((4, 4)), np.zeros((1, 4)), [[1]]])
def test_nothing_to_tell(array):
    assert dc_position(array) is None


def test_small_masks():
    assert dc_position([[0, 0, 0, 1, 1, 1, 0, 0]]) == "centre"
    assert dc_position([[1, 1, 0, 0, 0, 0, 0, 1]]) == "corner"


@pytest.mark.parametrize("shape", [(40, 40), (31, 40), (1, 41), (40, 1)])
def test_shift(shape):
    mask = gaussian(shape, 4, std=0.15, seed=2)
    corner = mask.replace(array=np.fft.ifftshift(mask.array))
    with pytest.raises(ValueError, match=r"DC in the centre.*shift=True"):
        centred(corner)
    assert centred(corner, shift=True) == mask
    assert centred(corner, shift=False) is corner
    assert centred(mask) is mask
    with pytest.raises(ValueError, match="`shift`. Expected a mask with DC in"):
        centred(mask, shift=True)


def test_shift_where_density_does_not_tell():
    mask = SamplingMask(np.arange(40)[None] % 4 == 0)
    assert centred(mask) is mask
    assert centred(mask, shift=True).array[0, 20]


def test_calibration_tells():
    # Dense at the edges, and yet its calibration region is in the centre.
    array = np.ones((1, 40), dtype=bool)
    array[:, 8:-8] = False
    array[:, 20] = True
    assert dc_position(array) == "corner"
    mask = SamplingMask(array, calibration=1)
    assert centred(mask) is mask
    with pytest.raises(ValueError, match="`shift`"):
        centred(mask, shift=True)


def test_refuses_shift():
    with pytest.raises(ValueError, match="`shift`. Expected None, True or Fa"):
        centred(SamplingMask([[1]]), shift="corner")
