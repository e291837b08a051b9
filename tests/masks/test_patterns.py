import itertools
import re

import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.masks import (
    SamplingMask,
    budget,
    central_points,
    default_calibration,
    equispaced_lines,
    gaussian,
    poisson_disc,
    random_lines,
    regular_lines,
    uniform_random,
)

# Every pattern meets every generic test below, by its name and its lines.
PATTERNS = {
    f"{name}_{lines}" if lines else name: (name, lines)
    for name, pattern in masks.PATTERNS.items()
    for lines in (None, "columns", "rows")
    if pattern.of_images or pattern.of_lines == bool(lines)
}
# Two seeds of it may give the same mask: there are few offsets.
FEW = ("equispaced_lines",)
SLOW = ("poisson_disc",)
SIZES = [(31, 33), (64, 64), (48, 80), (320, 320)]
ACCELERATIONS = [2, 4, 8, 13.7]


def make(name, shape, acceleration, calibration, **kwargs):
    name, lines = PATTERNS[name]
    pattern = masks.PATTERNS[name]
    if lines:
        kwargs["lines"] = lines
    if pattern.of_images:
        shape = np.random.default_rng(0).normal(size=(3, *shape, 2))
    return pattern.make(shape, acceleration, calibration=calibration, **kwargs)


def cases():
    for name in PATTERNS:
        for shape in SIZES:
            if shape != (320, 320) or name not in SLOW:
                for acceleration in ACCELERATIONS:
                    yield name, shape, acceleration


def of_shapes():
    return [
        case
        for case, (name, _) in PATTERNS.items()
        if not masks.PATTERNS[name].of_images
    ]


def seeded():
    return [
        case
        for case in of_shapes()
        if masks.PATTERNS[PATTERNS[case][0]].is_random
    ]


def expected_shape(name, shape):
    _, lines = PATTERNS[name]
    if lines == "columns":
        return (1, shape[1])
    return (shape[0], 1) if lines == "rows" else shape


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("name, shape, acceleration", list(cases()))
def test_shape_budget_and_calibration(name, shape, acceleration, calibrated):
    _, lines = PATTERNS[name]
    calibration = 0
    if calibrated:
        calibration = 2 if lines else (6, 5)
    mask = make(name, shape, acceleration, calibration)
    assert isinstance(mask, SamplingMask)
    assert mask.array.dtype == bool
    assert mask.shape == expected_shape(name, shape)
    assert mask.lines == lines
    assert mask.acquired == round(mask.array.size / acceleration)
    assert mask.array.sum() == mask.acquired
    assert mask.acceleration == acceleration
    assert mask.calibration == calibration
    assert mask.provenance["pattern"]
    if calibrated:  # Written out here, so that the package cannot agree
        centre = []  # with itself alone.
        for n, c in zip(mask.shape, (2, 2) if lines else (6, 5), strict=True):
            c = min(n, c)
            centre.append(slice(n // 2 - c // 2, n // 2 - c // 2 + c))
        assert mask.array[tuple(centre)].all()


@pytest.mark.parametrize("name", of_shapes())
def test_seed(name):
    first, again = (make(name, (48, 80), 4, 2, seed=3) for _ in range(2))
    assert first == again
    others = [make(name, (48, 80), 4, 2, seed=s) for s in range(4, 12)]
    differ = [not np.array_equal(first, other) for other in others]
    if name not in seeded():
        assert not any(differ)
    else:
        assert any(differ) if PATTERNS[name][0] in FEW else all(differ)
    assert first.provenance["seed"] == 3


@pytest.mark.parametrize("name", list(PATTERNS))
def test_global_generator_is_left_alone(name):
    def state():
        return repr(np.random.get_state(legacy=False))

    before = state()
    first = make(name, (32, 32), 4, 2)
    assert state() == before
    np.random.seed(1)  # And has no say.
    assert make(name, (32, 32), 4, 2) == first


@pytest.mark.parametrize("name", list(PATTERNS))
def test_infeasible_calibration(name):
    with pytest.raises(ValueError, match="`calibration`. Expected a region wi"):
        make(name, (32, 32), 4, 20)


@pytest.mark.parametrize("name", list(PATTERNS))
@pytest.mark.parametrize("acceleration", [1, float("nan"), "4"])
def test_invalid_acceleration(name, acceleration):
    with pytest.raises(ValueError, match="`acceleration`"):
        make(name, (32, 32), acceleration, None)


@pytest.mark.parametrize("name", seeded())
@pytest.mark.parametrize("seed", [-1, 0.5, None, "0", True])
def test_invalid_seed(name, seed):
    with pytest.raises(ValueError, match="`seed`. Expected an integer of at"):
        make(name, (32, 32), 4, None, seed=seed)


@pytest.mark.parametrize("name", of_shapes())
@pytest.mark.parametrize("shape", [32, (32, 32, 1), (32, 0)])
def test_invalid_shape(name, shape):
    with pytest.raises(ValueError, match="`shape`. Expected a pair"):
        make(name, shape, 4, None)


@pytest.mark.parametrize("pattern", [random_lines, equispaced_lines])
@pytest.mark.parametrize("lines", [None, "column", 1])
def test_invalid_lines(pattern, lines):
    with pytest.raises(
        ValueError, match=re.escape(f"Received: lines={lines!r}")
    ):
        pattern((32, 32), 4, lines=lines)


@pytest.mark.parametrize("pattern", [uniform_random, gaussian, poisson_disc])
def test_points_of_a_line_are_lines(pattern):
    mask = pattern((1, 64), 4, calibration=4)
    assert mask.lines == "columns"
    assert mask.acquired == 16
    assert mask.array[0, 30:34].all()


def test_uniform_random_is_uniform():
    share = np.mean(
        [uniform_random((16, 16), 4, seed=s).array for s in range(1000)], axis=0
    )
    # Standard deviation of a share: sqrt(0.25 * 0.75 / 1000) = 0.014.
    assert np.abs(share - 0.25).max() < 0.07


def test_gaussian_is_denser_in_the_centre():
    share = np.mean(
        [gaussian((32, 40), 8, seed=s).array for s in range(200)], axis=0
    )
    y = (np.arange(32) - 16)[:, None] / 16
    x = (np.arange(40) - 20)[None, :] / 20
    d = np.hypot(y, x)
    rings = [share[(d >= a) & (d < a + 0.25)].mean() for a in np.arange(5) / 4]
    assert all(np.diff(rings) < 0)
    assert rings[0] > 10 * rings[4]
    # Centred: a mirrored entry is as likely (index 0 has no mirror image).
    inner = share[1:, 1:]
    assert abs(inner[:16].sum() - inner[15:].sum()) < 0.02 * inner.sum()
    assert abs(inner[:, :20].sum() - inner[:, 19:].sum()) < 0.02 * inner.sum()


def test_gaussian_draws_in_proportion_to_its_weights():
    # One entry of five: its probability is the weight, with nothing to replace.
    counts = sum(
        gaussian((1, 5), 5, std=0.6, seed=s).array[0] for s in range(4000)
    )
    weight = np.exp(-0.5 * ((np.arange(5) - 2) / 2.5 / 0.6) ** 2)
    expected = weight / weight.sum()
    np.testing.assert_allclose(counts / 4000, expected, atol=0.03)


def test_gaussian_std():
    def spread(std):
        rows, columns = np.nonzero(gaussian((64, 64), 16, std=std).array)
        return np.hypot(rows - 32, columns - 32).mean()

    assert spread(0.2) < spread(0.4) < spread(2.0)
    # A narrow one acquires a full disc: no weight is too small to count.
    assert spread(1e-3) < 0.7 * np.sqrt(64 * 64 / 16 / np.pi)
    assert gaussian((64, 64), 16, std=0.3).provenance["std"] == 0.3


@pytest.mark.parametrize("std", [0, -1, float("nan"), float("inf"), "1"])
def test_gaussian_refuses_std(std):
    with pytest.raises(ValueError, match="`std`. Expected a finite number"):
        gaussian((32, 32), 4, std=std)


@pytest.mark.parametrize("pattern", [random_lines, equispaced_lines])
@pytest.mark.parametrize(
    "acceleration, calibration", [(4, 26), (8, 13), (16, 6)]
)
def test_lines_default_calibration_is_that_of_fastmri(
    pattern, acceleration, calibration
):
    mask = pattern((640, 320), acceleration)
    assert mask.calibration == calibration
    assert mask.acquired == 320 / acceleration
    start = 160 - calibration // 2
    assert mask.array[0, start : start + calibration].all()


def test_random_lines_are_uniform_outside_the_centre():
    share = np.mean(
        [random_lines((4, 40), 4, 2, seed=s).array[0] for s in range(1000)],
        axis=0,
    )
    assert share[19:21].tolist() == [1, 1]
    outside = np.delete(share, [19, 20])
    assert np.abs(outside - 8 / 38).max() < 0.065  # Five standard deviations.


def test_equispaced_lines_are_equispaced():
    for seed in range(8):
        mask = equispaced_lines((2, 64), 4, calibration=0, seed=seed)
        taken = np.flatnonzero(mask.array)
        assert set(np.diff(taken)) == {4}
    # 60 lines outside the centre, 12 of them: one in five, on either side.
    taken = np.flatnonzero(equispaced_lines((2, 64), 4, 4).array)
    taken = taken[(taken < 30) | (taken >= 34)]
    taken[taken >= 34] -= 4
    assert len(taken) == 12
    assert set(np.diff(taken)) == {5}
    # Where the distance is not an integer, neighbouring ones take turns.
    taken = np.flatnonzero(equispaced_lines((2, 64), 6, 0).array)
    assert set(np.diff(taken)) == {5, 6}


def test_equispaced_lines_every_offset_occurs():
    offsets = {
        int(np.argmax(equispaced_lines((2, 64), 4, 0, seed=s).array))
        for s in range(64)
    }
    assert offsets == {0, 1, 2, 3}


def test_lines_may_all_lie_in_the_centre():
    for pattern in (random_lines, equispaced_lines):
        mask = pattern((8, 32), 4, calibration=8)
        assert np.flatnonzero(mask.array).tolist() == list(range(12, 20))


@pytest.mark.parametrize("R, lines", [(4, 26), (8, 13), (2.5, 41)])
def test_default_calibration(R, lines):
    assert default_calibration((320, 384), R) == lines
    assert default_calibration((384, 320), R, "columns") == lines
    assert default_calibration((320, 256), R, "rows") == lines
    assert random_lines((256, 320), R).calibration == lines


def test_default_calibration_knows_its_words():
    with pytest.raises(ValueError, match="argument `lines`.*'colums'"):
        default_calibration((64, 64), 4, lines="colums")


def test_default_calibration_leaves_something_to_choose():
    for n, lines in itertools.product(range(2, 40), (None, "columns")):
        for acceleration in (1.01, 1.5, 2, 3.3, 4, 8, 13.7):
            size = n * n if lines is None else n
            if round(size / acceleration):
                side = default_calibration((n, n), acceleration, lines)
                region = side * side if lines is None else side
                assert region < budget(size, acceleration)


def test_default_calibration_checks_the_acceleration():
    # Of 64 lines nothing is left, of 64×64 points 20 are.
    assert default_calibration((64, 64), 200) == 0
    with pytest.raises(ValueError, match="`acceleration`"):
        default_calibration((64, 64), 200, "rows")
    with pytest.raises(ValueError, match="`acceleration`"):
        default_calibration((320, 320), 0.5)


@pytest.mark.parametrize("shape", [(16, 16), (17, 24), (1, 32)])
def test_central_points_are_the_nearest(shape):
    """In units of the width and the height, so they fill an ellipse."""
    mask = central_points(shape, 4, calibration=0)
    rows, columns = ((np.arange(n) - n // 2) / n for n in shape)
    distance = np.hypot(rows[:, None], columns[None, :])
    assert mask.acquired == round(shape[0] * shape[1] / 4)
    assert mask.array[shape[0] // 2, shape[1] // 2]
    inside, outside = distance[mask.array], distance[~mask.array]
    assert inside.max() <= outside.min() + 1e-12


@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize("lines", ["columns", "rows"])
def test_regular_lines(size, lines):
    """Outside the calibration region all distances are the spacing."""
    shape = (32, size) if lines == "columns" else (size, 32)
    mask = regular_lines(shape, 4, 5, lines)
    assert mask.lines == lines and mask.matrix == shape
    place = np.flatnonzero(mask.array) - size // 2
    regular = [k for k in range(-32, size - 32) if k % 4 == 0]
    assert place.tolist() == sorted({*regular, -2, -1, 0, 1, 2})
    assert mask.acceleration == mask.achieved_acceleration == size / len(place)
    assert mask.calibration == 5
    assert mask.provenance == {"pattern": "regular_lines", "spacing": 4}
    # fastMRI's number: 0.32 / 4 of the lines.
    assert regular_lines(shape, 4, lines=lines).calibration == 5
    # DC alone decides where the grid lies.
    assert regular_lines(shape, 4, 0, lines).array.ravel()[size // 2]


@pytest.mark.parametrize(
    "name, value", [("spacing", 1), ("spacing", 2.5), ("lines", "x")]
)
def test_regular_lines_refuse(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        regular_lines(**{"shape": (8, 16), "spacing": 2, name: value})
