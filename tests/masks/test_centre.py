import warnings

import numpy as np
import pytest

from loupe_tf import evaluation, layers, masks, models, reconstruction
from loupe_tf.callbacks import MaskedBatches
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
from loupe_tf.masks.fixed_mask import Pattern


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


@pytest.mark.parametrize("dense_centre", [True, False])
def test_an_even_pattern_says_that_its_density_tells_nothing(
    monkeypatch, dense_centre
):
    def checkerboard(shape, acceleration, calibration=None, seed=0):
        cells = np.indices(shape) // 5
        provenance = {"pattern": "checkerboard"}
        return SamplingMask(cells.sum(axis=0) % 2 == 0, provenance=provenance)

    entry = Pattern(checkerboard, is_random=False, dense_centre=dense_centre)
    monkeypatch.setitem(masks.PATTERNS, "checkerboard", entry)
    mask = masks.fixed_mask("checkerboard", np.zeros((1, 15, 15, 1)), 2)
    assert mask.array[::14, ::14].all() and mask.array[7, 7]
    assert dc_position(mask.array) == "corner"
    if dense_centre:
        with pytest.raises(ValueError, match="densest around the corner"):
            centred(mask)
    else:
        assert centred(mask) is mask
    assert bool(_caught(layers.FixedMask, mask)) == dense_centre


def test_refuses_shift():
    with pytest.raises(ValueError, match="`shift`. Expected one of"):
        centred(SamplingMask([[1]]), shift="corner")


SIZE = (24, 25)
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, *SIZE, 1)).astype("float32")
KSPACE = (RNG.normal(size=(3, *SIZE)) + 1j).astype("complex64")
MAPS = np.ones_like(KSPACE) / np.sqrt(3)


def _batches(mask):
    batches = MaskedBatches(IMAGES, IMAGES, lambda seed: mask, batch_size=1)
    for index in range(len(batches)):
        batches[index]


def _regularization(mask):
    pytest.importorskip("sigpy")
    targets = np.abs(KSPACE[:2])
    return reconstruction.choose_regularization(
        reconstruction.TotalVariation(0.0, iterations=1),
        [0.1, 0.2],
        KSPACE[:2],
        mask,
        targets,
    )


def _with_maps(method):
    def take(mask):
        pytest.importorskip("sigpy")
        return method(KSPACE, mask, MAPS)

    return take


# What takes a mask that may be meant as it is.
TAKERS = {
    "FixedMask": layers.FixedMask,
    "loupe_model": lambda mask: models.loupe_model(
        (*SIZE, 1), mask=mask, reconstructor="zero_filled"
    ),
    "forward": lambda mask: reconstruction.forward(IMAGES[0, ..., 0], mask),
    "adjoint": lambda mask: reconstruction.adjoint(KSPACE, mask, MAPS),
    "ZeroFilled": lambda mask: reconstruction.ZeroFilled()(KSPACE[0], mask),
    "Grappa": lambda mask: reconstruction.Grappa((3, 3))(KSPACE, mask),
    "Sense": _with_maps(reconstruction.Sense(iterations=1)),
    "TotalVariation": _with_maps(reconstruction.TotalVariation(0.1, 1)),
    "WaveletL1": _with_maps(reconstruction.WaveletL1(0.1, 1, "haar")),
    "espirit_maps": lambda mask: reconstruction.espirit_maps(
        KSPACE, mask, kernel_size=2
    ),
    "choose_regularization": _regularization,
    "MaskedBatches": _batches,
    "comparison": lambda mask: evaluation.judge(
        reconstruction.ZeroFilled(), mask, IMAGES, np.arange(2)
    ),
}


def _caught(take, mask):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            take(mask)
        except (ValueError, ImportError):
            pass  # There is no centre to learn from.
    return [w for w in caught if "densest around the corner" in str(w.message)]


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_one_warning_of_a_corner(take):
    mask = gaussian(SIZE, 2, calibration=11)
    corner = np.fft.ifftshift(mask.array)
    for given in (corner, SamplingMask(corner), corner.astype("float32")):
        (warning,) = _caught(take, given)
        # Whoever gave it is named, not this package.
        assert warning.filename == __file__
    for given in (mask, mask.array, np.ones(SIZE)):
        assert not _caught(take, given)


def test_no_warning_of_a_model_that_is_loaded(tmp_path):
    corner = np.fft.ifftshift(gaussian(SIZE, 2).array)
    layer = layers.FixedMask(corner)
    assert not _caught(layers.FixedMask.from_config, layer.get_config())


def test_no_warning_of_our_own_masks():
    take = layers.FixedMask
    for seed in range(100):
        for mask in (
            uniform_random((16, 16), 4, seed=seed),
            random_lines((16, 16), 4, calibration=2, seed=seed),
        ):
            assert not _caught(take, mask)
    model = models.loupe_model(
        (*SIZE, 1), 4, half_plane=True, reconstructor="zero_filled"
    )
    assert not _caught(take, masks.from_model(model))
