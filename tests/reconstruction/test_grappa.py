import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.numpy_fourier import ifft2c
from loupe_tf.reconstruction import Grappa, ZeroFilled, adjoint


def lines(width, step, calibration):
    mask = np.zeros((1, width), bool)
    mask[:, ::step] = True
    first = width // 2 - calibration // 2
    mask[:, first : first + calibration] = True
    return mask


def slow(kspace, mask, kernel, calibration, regularization):
    """The same by loops, one missing sample after the other.

    `calibration` is first and last row, first and last column; the equispaced
    lines may lengthen what was asked for.
    """
    coils, height, width = kspace.shape
    kh, kw = kernel
    filled = kspace.copy()
    for r in range(height):
        for c in range(width):
            if mask[r, c]:
                continue
            near = [
                (i, j)
                for i in range(-(kh // 2), kh // 2 + 1)
                for j in range(-(kw // 2), kw // 2 + 1)
                if 0 <= r + i < height and 0 <= c + j < width
                if mask[r + i, c + j]
            ]
            if not near:
                continue
            top, bottom, left, right = calibration
            rows, targets = [], []
            for y in range(top + kh // 2, bottom - kh // 2):
                for x in range(left + kw // 2, right - kw // 2):
                    window = [kspace[:, y + i, x + j] for i, j in near]
                    rows.append(np.ravel(window))
                    targets.append(kspace[:, y, x])
            s, t = np.array(rows, complex), np.array(targets, complex)
            n = s.shape[1]
            penalty = regularization * np.linalg.norm(s) ** 2 / n
            s = np.concatenate([s, np.sqrt(penalty) * np.eye(n)])
            t = np.concatenate([t, np.zeros((n, coils))])
            weights = np.linalg.lstsq(s, t, rcond=None)[0]
            window = [kspace[:, r + i, c + j] for i, j in near]
            filled[:, r, c] = np.ravel(window) @ weights
    return filled


@pytest.mark.parametrize(
    "mask, kernel, calibration",
    [
        (np.tile(lines(15, 2, 5), (12, 1)), (3, 3), (0, 12, 4, 11)),
        (np.tile(lines(12, 3, 6), (15, 1)).T, (5, 3), (3, 10, 0, 15)),
        (np.asarray(masks.uniform_random((15, 14), 2, 7)), (3, 3), None),
    ],
)
def test_same_as_by_loops(scan, mask, kernel, calibration):
    s = scan(2, mask.shape)
    kspace = np.where(mask, s.kspace, 0)
    expected = slow(kspace, mask, kernel, calibration or (4, 11, 4, 11), 0.01)
    filled = Grappa(kernel, 0.01).fill(kspace, mask)
    np.testing.assert_allclose(filled, expected, atol=1e-4)
    np.testing.assert_array_equal(filled[:, mask], kspace[:, mask])
    assert filled.dtype == np.complex64


def test_unfolds(scan, nmse):
    s = scan(8, (64, 60), noise=1e-4)
    mask = lines(60, 2, 20)
    truth = np.sqrt((np.abs(ifft2c(s.kspace)) ** 2).sum(axis=0))
    image = Grappa(regularization=1e-6)(s.kspace, mask)
    assert image.dtype == np.float32
    zero_filled = ZeroFilled()(s.kspace, mask)
    assert nmse(image, truth) < 0.1 * nmse(zero_filled, truth)


def test_combined_by_maps(scan):
    s = scan()
    full = np.ones(s.image.shape, bool)
    maps = 2 * s.maps
    maps[:, 0, 0] = 0
    image = Grappa()(s.kspace, full, maps)
    expected = adjoint(s.kspace, full, s.maps) / 2
    expected[0, 0] = 0
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_samples_too_far_apart_stay_zero(scan):
    s = scan(3, (24, 40))
    mask = lines(40, 6, 10)
    kspace = np.where(mask, s.kspace, 0)
    with np.errstate(invalid="raise"):
        filled = Grappa((3, 3)).fill(kspace, np.tile(mask, (24, 1)))
    assert mask[0, 0] and mask[0, 6]
    assert filled[:, :, 1].all() and filled[:, :, 5].all()
    assert not filled[:, :, 2:5].any()


def test_a_dead_coil(scan):
    s = scan(4, (24, 30))
    kspace = s.kspace.copy()
    kspace[0] = 0
    mask = lines(30, 2, 12)
    image = Grappa()(kspace, mask)
    expected = Grappa()(kspace[1:], mask)
    # The mean eigenvalue counts the coil, so that λ is not quite the same.
    np.testing.assert_allclose(image, expected, atol=0.03)


@pytest.mark.parametrize(
    "mask, expected, received",
    [
        (lines(45, 3, 5), "at least 7 columns", "48×5"),
        (lines(48, 3, 4).T, "at least 7 rows", "4×45"),
        (
            np.asarray(masks.uniform_random((48, 45), 3, 8, seed=0)),
            "at least 15×15 samples",
            "8×8",
        ),
    ],
)
def test_calibration_too_small(scan, mask, expected, received):
    s = scan()
    with pytest.raises(ValueError, match=expected) as error:
        Grappa()(s.kspace, mask)
    assert "`mask`" in str(error.value) and received in str(error.value)


def test_as_many_lines_as_it_says(scan):
    s = scan()
    Grappa()(s.kspace, lines(45, 3, 7))


def test_errors(scan):
    for size in (5, (5,), (5, 4), (0, 5), (5.0, 5)):
        with pytest.raises(ValueError, match="`kernel_size`"):
            Grappa(size)
    with pytest.raises(ValueError, match="`regularization`"):
        Grappa(regularization=-1)
    s = scan()
    with pytest.raises(ValueError, match="several coils"):
        Grappa()(s.kspace[0], lines(45, 3, 16))
