import numpy as np

from loupe_tf import evaluation


def test_middle_slice(volumes):
    assert evaluation.middle_slice(volumes) == 1
    assert evaluation.middle_slice(volumes, "a") == 5
    for numbers in ([3, 3, 3, 5], np.array([0.1, 0.1, 0.1, 5])):
        assert evaluation.middle_slice(numbers) == 1
        for name in (numbers[3], str(numbers[3])):
            assert evaluation.middle_slice(numbers, name) == 3


def test_central_slices():
    volumes = np.repeat(["a", "b", "c", "d"], 9)
    assert evaluation.central_slices(volumes) == [4, 13, 22]
    assert evaluation.central_slices(volumes[:18]) == [3, 4, 13]
    assert evaluation.central_slices(volumes[:9]) == [3, 4, 6]
    assert evaluation.central_slices(["a", "b"]) == [0, 1]
    # Volumes whose slices do not come one after another.
    mixed = np.tile(["a", "b", "c"], 5)
    assert evaluation.central_slices(mixed) == [6, 7, 8]
