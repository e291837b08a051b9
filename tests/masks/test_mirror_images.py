import numpy as np
import pytest

from loupe_tf.masks import (
    SamplingMask,
    equispaced_lines,
    gaussian,
    half_plane,
    lacks_mirror_images,
    mirror_images,
    mirrored,
    random_lines,
    uniform_random,
)


def one_sided(size=64, calibration=5, **provenance):
    """Lines of which no two are mirror images, as magnitudes teach them."""
    array = np.zeros((1, size), bool)
    k = np.arange(size) - size // 2
    array[0, np.abs(k) <= calibration // 2] = True
    array[0, (k > 0) & (k < 18) & (k % 2 == 0)] = True
    array[0, (k < 0) & (k > -18) & (k % 2 == 1)] = True
    return SamplingMask(array, calibration=calibration, provenance=provenance)


@pytest.mark.parametrize(
    "line, calibration, outside, both",
    [
        # DC at 4 of 8. The edge, at -4, has no mirror image; 2 is that of 6.
        ([1, 0, 1, 0, 1, 1, 1, 0], 1, 3, 2),
        ([1, 0, 1, 0, 1, 1, 1, 0], None, 3, 2),
        # Both edges of an odd size have one. DC does not count.
        ([1, 0, 0, 1, 1, 0, 1], None, 3, 2),
        # The region of even size is not symmetric: that of line 5 is in it.
        ([0, 0, 0, 1, 1, 1, 0, 0], 2, 1, 1),
    ],
)
def test_lines(line, calibration, outside, both):
    for array in (np.array([line]), np.array([line]).T):
        found = mirror_images(SamplingMask(array, calibration=calibration))
        assert (found["outside"], found["mirrored"]) == (outside, both)


@pytest.mark.parametrize("shape", [(8, 9), (9, 8), (8, 8), (7, 9)])
def test_points(rng, shape):
    array = rng.random(shape) < 0.4
    centre = [n // 2 for n in shape]
    array[centre[0], centre[1]] = True
    outside = both = 0
    for h, w in np.argwhere(array):
        other = 2 * centre[0] - h, 2 * centre[1] - w
        inside = all(0 <= i < n for i, n in zip(other, shape))
        if inside and other != (h, w):
            outside += 1
            both += array[other]
    found = mirror_images(SamplingMask(array, calibration=1))
    assert (found["outside"], found["mirrored"]) == (outside, both)


def test_chance_is_the_mean_of_random_masks():
    found = [mirror_images(gaussian((24, 25), 3, 4, seed=s)) for s in range(40)]
    mean = np.mean([each["mirrored"] for each in found])
    chance = np.mean([each["by_chance"] for each in found])
    assert chance == pytest.approx(mean, rel=0.05)
    nothing = SamplingMask(np.zeros((4, 4)))
    assert mirror_images(nothing)["by_chance"] == 0


def test_a_mask_of_one_side_is_said_to_be_one():
    learned = one_sided(pattern="learned")
    text = lacks_mirror_images(learned)
    count = mirror_images(learned)["outside"]
    assert text.startswith(f"0 of {count} outer lines have their mirror image")
    assert "probably learned" in text and "--phase" in text
    rows = learned.replace(array=learned.array.T, matrix=None)
    assert lacks_mirror_images(rows) == text
    # Whose mirror images are acquired too: nothing to say.
    whole = learned.replace(array=learned.array | mirrored(learned.array))
    assert lacks_mirror_images(whole) == ""


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"pattern": "given"},
        {"pattern": "learned", "half_plane": True},
        {"pattern": "learned", "simulated_phase": 1.0},
    ],
)
def test_masks_that_may_lack_them_on_purpose(facts):
    text = lacks_mirror_images(one_sided(**facts))
    assert "partial Fourier" in text and "probably" not in text


def test_a_half_plane_lacks_them():
    array = half_plane((24, 24)) & uniform_random((24, 24), 1.5).array
    assert "outer points" in lacks_mirror_images(SamplingMask(array))


def test_masks_drawn_at_random_do_not():
    found = [
        lacks_mirror_images(
            random_lines((n, n), 4, seed=s).replace(provenance={})
        )
        for n in (64, 128, 256)
        for s in range(40)
    ]
    assert sum(text != "" for text in found) < 0.04 * len(found)
    points = uniform_random((32, 32), 4, 6).replace(provenance={})
    assert lacks_mirror_images(points) == ""


def test_fixed_lines_are_as_they_were_asked_for():
    lines = equispaced_lines((320, 320), 3, calibration=1)
    assert mirror_images(lines)["mirrored"] <= 2
    assert lacks_mirror_images(lines) == ""
    assert lacks_mirror_images(lines.replace(provenance={})) != ""
