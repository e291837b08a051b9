import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.regimes import split


def draw(shape=(17, 22), count=6, keep=4):
    every = [
        masks.uniform_random(shape, 3, calibration=keep, seed=i).array
        for i in range(count)
    ]
    return np.stack(every)[..., None].astype("float32")


def numpy(tensors):
    return [keras.ops.convert_to_numpy(x) for x in tensors]


@pytest.mark.parametrize("kind", ["uniform", "gaussian"])
@pytest.mark.parametrize("keep", [None, 4])
@pytest.mark.parametrize("ratio", [0.05, 0.4, 0.97])
def test_disjoint_exhaustive_and_of_exact_size(ratio, keep, kind):
    mask = draw()
    seen, held = numpy(split(mask, ratio, keep, kind, seed=0))
    assert not (seen * held).any()
    np.testing.assert_array_equal(seen + held, mask)
    region = masks.calibration_region((17, 22), keep)[None, ..., None]
    assert not (held * region).any()
    free = (mask * ~region).sum(axis=(1, 2, 3))
    expected = np.floor(ratio * free + 0.5)
    np.testing.assert_array_equal(held.sum(axis=(1, 2, 3)), expected)


def test_each_example_has_its_own_and_the_seed_repeats_them():
    mask = np.repeat(draw(count=1), 4, axis=0)
    _, held = numpy(split(mask, seed=3))
    assert len({x.tobytes() for x in held}) == 4
    np.testing.assert_array_equal(held, numpy(split(mask, seed=3))[1])
    assert (held != numpy(split(mask, seed=4))[1]).any()


def test_uniform_takes_all_and_gaussian_the_centre():
    mask = np.ones((500, 9, 11, 1), "float32")
    often = {
        kind: numpy(split(mask, 0.2, None, kind, seed=0))[1].mean(axis=0)
        for kind in ("uniform", "gaussian")
    }
    count = round(0.2 * 99)
    deviation = np.sqrt(0.2 * 0.8 / 500)
    assert abs(often["uniform"] - count / 99).max() < 4.5 * deviation
    gaussian = often["gaussian"][..., 0]
    assert gaussian[4, 5] > 0.4 and gaussian[0, 0] < 0.05
    # The two of mirrored entries are as likely as each other.
    assert abs(gaussian - gaussian[::-1, ::-1]).max() < 6.4 * deviation


@pytest.mark.parametrize("lines", ["columns", "rows"])
def test_lines_are_held_out_as_a_whole(lines):
    narrow = np.stack(
        [masks.random_lines((1, 21), 3, 3, seed=i).array for i in range(3)]
    )[..., None]
    if lines == "rows":
        narrow = narrow.transpose(0, 2, 1, 3)
    wide = np.broadcast_to(narrow, (3, 21, 21, 1))
    of_lines = numpy(split(narrow, 0.5, 3, seed=1))
    for few, many in zip(of_lines, numpy(split(wide, 0.5, 3, lines=lines))):
        axis = 1 if lines == "columns" else 2
        assert (many.min(axis=axis) == many.max(axis=axis)).all()
        sizes = few.sum(axis=(1, 2, 3)), many.sum(axis=(1, 2, 3)) / 21
        np.testing.assert_array_equal(*sizes)
    assert of_lines[1].sum() == 3 * 2  # Half of the other four.


def test_what_cannot_be_split_is_refused():
    mask = draw()
    for ratio in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="`ratio`"):
            split(mask, ratio)
    with pytest.raises(ValueError, match="`ratio`.*0 to choose from"):
        split(masks.calibration_region((16, 16), 4)[None, ..., None])
    with pytest.raises(ValueError, match="`keep`.*not acquired in example"):
        split(mask, keep=9)
    for keep in (-1, 2.5, "4", (4, 4, 4), 99):
        with pytest.raises(ValueError, match="`keep`"):
            split(mask, keep=keep)
    with pytest.raises(ValueError, match="`kind`"):
        split(mask, kind="poisson")
    with pytest.raises(ValueError, match="`lines`"):
        split(mask, lines="both")
    with pytest.raises(ValueError, match="`mask`.*shape"):
        split(mask[..., 0])


def test_a_tensor_that_cannot_be_split_holds_out_nothing():
    mask = masks.calibration_region((16, 16), 4)[None, ..., None]
    seen, held = numpy(split(keras.ops.convert_to_tensor(mask, "float32")))
    np.testing.assert_array_equal(seen, mask)
    assert not held.any()
    one = np.zeros((1, 5, 5, 1), "float32")
    one[0, 2, 2] = 1
    seen, held = numpy(split(keras.ops.convert_to_tensor(one), 0.9, keep=None))
    assert seen.sum() == 1 and held.sum() == 0
