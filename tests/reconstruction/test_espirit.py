import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.reconstruction import espirit_maps
from loupe_tf.reconstruction.calibration import maps_from_centre

SIZE = (48, 45)


def relative(maps):
    """Maps with the phase of the first coil taken away."""
    return maps * np.conj(maps[0] / np.abs(maps[0]))


def test_finds_the_maps(scan):
    s = scan(noise=0.002)
    mask = masks.uniform_random(SIZE, 3, calibration=20, seed=0)
    maps = espirit_maps(s.kspace, mask)
    assert maps.shape == s.kspace.shape and maps.dtype == np.complex64
    inside = np.abs(s.image) > 0.2
    np.testing.assert_allclose(
        maps[:, inside], relative(s.maps)[:, inside], atol=0.1
    )
    energy = (np.abs(maps) ** 2).sum(axis=0)
    assert np.isclose(energy, 1, atol=1e-4)[inside].all()
    assert np.isclose(energy, 0)[np.abs(s.image) == 0].mean() > 0.3


@pytest.mark.parametrize(
    "coils, size, options",
    [
        (3, (31, 40), {}),
        (5, SIZE, {"kernel_size": 5, "calibration": 16, "iterations": 30}),
        (2, (27, 25), {"kernel_size": 3, "threshold": 0.1, "crop": 0.9}),
    ],
)
def test_maps_are_those_of_sigpy(scan, coils, size, options):
    sigpy_mri = pytest.importorskip("sigpy.mri")
    kspace = scan(coils, size).kspace
    names = {
        "calibration": "calib_width",
        "kernel_size": "kernel_width",
        "threshold": "thresh",
        "crop": "crop",
        "iterations": "max_iter",
    }
    expected = sigpy_mri.app.EspiritCalib(
        kspace, show_pbar=False, **{names[k]: v for k, v in options.items()}
    ).run()
    maps = espirit_maps(kspace, np.ones(size, bool), **options)
    np.testing.assert_allclose(maps, expected, atol=1e-4)
    assert 0.2 < np.any(maps != 0, axis=0).mean() < 1


@pytest.mark.parametrize("side", [12, 13])
def test_what_is_said_of_a_region_is_what_is_accepted(scan, side):
    mask = masks.SamplingMask(masks.calibration_region(SIZE, side))
    found, text = maps_from_centre(mask)
    assert found == side and f"{side}×{side} points around DC" in text
    assert ("too few" in text) == (side < 13)
    if side < 13:
        with pytest.raises(ValueError, match="at least 13 lines"):
            espirit_maps(scan().kspace, mask)
    else:
        espirit_maps(scan().kspace, mask)


def test_reads_the_calibration_region_alone(scan):
    s = scan()
    mask = masks.calibration_region(SIZE, 16)
    maps = espirit_maps(s.kspace, mask)
    more = masks.calibration_region(SIZE, 24)
    again = espirit_maps(s.kspace, more, calibration=16)
    np.testing.assert_array_equal(again, maps)


def test_a_dead_coil(scan):
    s = scan()
    kspace = s.kspace.copy()
    kspace[0] = 0
    full = np.ones(SIZE, bool)
    maps = espirit_maps(kspace, full)
    assert not maps[0].any()
    np.testing.assert_array_equal(maps[1:], espirit_maps(kspace[1:], full))


@pytest.mark.parametrize("calibration", [None, 13])
def test_calibration_too_small(scan, calibration):
    s = scan()
    mask = np.zeros((1, 45), bool)
    mask[:, 16:28] = True
    match = "`mask`.*at least 13 lines.*--calibration 13.*--maps.*12 lines"
    with pytest.raises(ValueError, match=match):
        espirit_maps(s.kspace, mask, calibration)
    mask[:, 28] = True
    assert np.isfinite(espirit_maps(s.kspace, mask, calibration)).all()


@pytest.mark.parametrize(
    "argument, change",
    [
        ("kspace", {"kspace": np.ones(SIZE, complex)}),
        ("kspace", {"kspace": np.zeros((2, *SIZE), complex)}),
        ("kspace", {"kspace": np.full((2, *SIZE), np.nan + 0j)}),
        ("mask", {"mask": np.ones((45, 48), bool)}),
        ("calibration", {"calibration": 8}),
        ("calibration", {"calibration": 50}),
        ("calibration", {"calibration": 14.5}),
        ("kernel_size", {"kernel_size": 0}),
        ("threshold", {"threshold": 2}),
        ("crop", {"crop": -1}),
        ("iterations", {"iterations": 0}),
    ],
)
def test_errors(argument, change):
    arguments = {
        "kspace": np.ones((2, *SIZE), complex),
        "mask": np.ones(SIZE, bool),
    }
    with pytest.raises(ValueError, match=f"`{argument}`. Expected"):
        espirit_maps(**{**arguments, **change})
