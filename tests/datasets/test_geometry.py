import numpy as np
import pytest

from loupe_tf.datasets.mri_volumes.geometry import (
    Resizing,
    common_field_of_view,
    plan,
)
from loupe_tf.datasets.resize import center_crop_or_pad, crop_to_acquired

SIZES = {"a": (320, 320), "b": (306, 384), "c": (256, 256)}
SPACINGS = {
    "a": (3.0, 0.71875, 0.71875),
    "b": (3.3, 0.57292, 0.57292),
    "c": (3.0, 0.91016, 0.91016),
}


@pytest.mark.parametrize("view", [(175, 220), (160.3, 199.9), (100, 50)])
@pytest.mark.parametrize("size", [None, (96, 48), (33, 51)])
def test_one_field_of_view_and_one_matrix(view, size):
    found, resizings = plan(SIZES, SPACINGS, SIZES, view, size)
    assert size in (None, found)
    for name, resizing in resizings.items():
        images = np.ones((1, *SIZES[name]), "float32")
        assert resizing(images).shape == (1, *found)
        voxel = np.array(resizing.voxel_size(SPACINGS[name]))
        assert voxel[0] == SPACINGS[name][0]
        error = np.abs(voxel[1:] * found - view)
        assert np.all(error <= np.array(SPACINGS[name][1:]) / 2 + 1e-9)
        # k-space is cropped alone.
        assert np.all(voxel[1:] >= np.array(SPACINGS[name][1:]) - 1e-9)
        assert "pad" not in resizing.cropped_by


def test_the_largest_that_all_have():
    view = common_field_of_view(list(SIZES.values()), list(SPACINGS.values()))
    assert view == pytest.approx((306 * 0.57292, 384 * 0.57292), 1e-5)
    size, resizings = plan(SIZES, SPACINGS, SIZES, view)
    # 175.3 mm × 220.0 mm in pixels of 0.91 mm.
    assert size == (192, 242)
    assert resizings["b"].steps == (("image", (306, 384)), ("kspace", size))
    assert resizings["b"].cropped_by == "kspace_crop"
    assert resizings["a"].steps[0] == ("image", (244, 306))
    assert resizings["a"].cropped_by == "center_crop+kspace_crop"


def test_a_structure_keeps_its_place_and_its_size_in_mm():
    """A blob 20 mm below and 30 mm left of the centre, in each volume."""
    size, resizings = plan(SIZES, SPACINGS, SIZES, (175, 220), (175, 220))
    for name, (height, width) in SIZES.items():
        _, dy, dx = SPACINGS[name]
        y = (np.arange(height) - height // 2) * dy - 20
        x = (np.arange(width) - width // 2) * dx + 30
        blob = np.exp(-np.add.outer(y**2, x**2) / (2 * 6**2))
        (image,) = resizings[name](blob[None].astype("float32"))
        _, dy, dx = resizings[name].voxel_size(SPACINGS[name])
        y = (np.arange(175) - 175 // 2) * dy - 20
        x = (np.arange(220) - 220 // 2) * dx + 30
        expected = np.exp(-np.add.outer(y**2, x**2) / (2 * 6**2))
        np.testing.assert_allclose(image, expected, atol=1e-3)


def test_what_was_acquired_bounds_the_matrix():
    extents = {**SIZES, "a": (216, 320)}
    size, _ = plan(SIZES, SPACINGS, extents, (175, 220))
    assert size == (164, 242)  # 216 lines over 230 mm are 164 over 175 mm.
    with pytest.raises(ValueError, match=r"`size`.*164.*a \(164×30"):
        plan(SIZES, SPACINGS, extents, (175, 220), (170, 240))
    _, found = plan(SIZES, SPACINGS, extents, (175, 220), (400, 240), "kspace")
    assert found["a"].cropped_by == "center_crop+kspace_crop+kspace_pad"


def test_zeros_around_an_image_are_asked_for():
    with pytest.raises(
        ValueError, match=r"`field_of_view`.*175.3×220 mm.*'image'.*b \(175.3×"
    ):
        plan(SIZES, SPACINGS, SIZES, (230, 230))
    size, found = plan(SIZES, SPACINGS, SIZES, (230, 230), None, "image")
    assert found["b"].cropped_by == "center_pad+kspace_crop"
    assert size == (252, 252)
    with pytest.raises(ValueError, match="`size`"):
        plan(SIZES, SPACINGS, SIZES, (230, 230), (260, 260), "image")
    plan(SIZES, SPACINGS, SIZES, (230, 230), (260, 260), "both")


def test_steps_are_those_of_resize(rng):
    images = rng.uniform(size=(2, 12, 10)).astype("float32")
    resizing = Resizing((12, 10), (("acquired_extent", (8, 10)),))
    assert resizing.cropped_by == "acquired_extent"
    np.testing.assert_array_equal(
        resizing(images), crop_to_acquired(images, (8, 10))
    )
    assert resizing.voxel_size((3, 1, 1)) == (3, 1.5, 1)
    resizing = Resizing((12, 10), (("image", (6, 16)),))
    assert resizing.cropped_by == "center_crop+center_pad"
    np.testing.assert_array_equal(
        resizing(images), center_crop_or_pad(images, (6, 16))
    )
    assert resizing.voxel_size((3, 1, 1)) == (3, 1, 1)
    assert Resizing((12, 10)).cropped_by == "none"
