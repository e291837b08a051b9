import itertools

import numpy as np
import pytest

from loupe_tf.masks import binarize, half_plane, mirrored, spectrum

SHAPE = (6, 9)


def images(seed=0):
    rng = np.random.default_rng(seed)
    real, imaginary = rng.normal(size=(2, 3, *SHAPE))
    return real + 1j * imaginary


def power(images):
    """Mean power by the sum that defines the transform, DC at N // 2."""
    height, width = images.shape[1:]
    y, x = np.mgrid[:height, :width]
    result = np.zeros((height, width))
    for index in np.ndindex(height, width):
        ky, kx = index[0] - height // 2, index[1] - width // 2
        wave = np.exp(-2j * np.pi * (ky * y / height + kx * x / width))
        coefficient = (images * wave).sum(axis=(1, 2)) / np.sqrt(height * width)
        result[index] = (np.abs(coefficient) ** 2).mean()
    return result


def largest(values, number):
    mask = np.zeros(values.shape, dtype=bool)
    mask.flat[np.argsort(values, axis=None)[::-1][:number]] = True
    return mask


def test_points():
    mask = spectrum(images(), 3)
    np.testing.assert_array_equal(mask.array, largest(power(images()), 18))
    assert mask.provenance == {"pattern": "spectrum", "images": 3}


@pytest.mark.parametrize("lines, axis", [("columns", 0), ("rows", 1)])
def test_lines(lines, axis):
    expected = power(images()).sum(axis=axis, keepdims=True)
    mask = spectrum(images(), 3, lines=lines)
    assert mask.lines == lines
    np.testing.assert_array_equal(
        mask.array, largest(expected, expected.size // 3)
    )


def test_channels():
    x = images()
    pair = np.stack([x.real, x.imag], axis=-1)
    assert spectrum(pair, 3) == spectrum(x, 3)
    assert spectrum(x.real[..., None], 3) == spectrum(x.real, 3)
    assert spectrum(pair, 3) != spectrum(x.real, 3)


def test_every_image_counts():
    x = images()
    x[2] *= 100
    assert np.array_equal(spectrum(x, 3), spectrum(x[2:], 3))
    assert not np.array_equal(spectrum(x, 3), spectrum(x[:1], 3))


def test_no_mask_rebuilds_better():
    # Parseval: the error of the zero-filled image is the power left out.
    x = images()

    def error(mask):
        kspace = np.fft.fftshift(np.fft.fft2(x), axes=(1, 2))
        kspace = np.where(mask, kspace, 0)
        rebuilt = np.fft.ifft2(np.fft.ifftshift(kspace, axes=(1, 2)))
        return np.mean(np.abs(rebuilt - x) ** 2)

    best = spectrum(x, 3).array
    for taken, left in zip(
        np.argwhere(best), np.argwhere(~best)[:18], strict=True
    ):
        other = best.copy()
        other[tuple(taken)], other[tuple(left)] = False, True
        assert error(other) > error(best)


def test_calibration_is_acquired():
    x = images()
    x -= x.mean(axis=(1, 2), keepdims=True)  # No power at DC.
    assert not spectrum(x, 3).array[3, 4]
    assert spectrum(x, 3, calibration=1).array[3, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((6, 9)),
        np.zeros((3, 6, 9, 3)),
        np.zeros((0, 6, 9)),
        np.zeros((3, 6, 9, 2), complex),
        np.full((3, 6, 9), "a"),
    ],
)
def test_refuses_shape(wrong):
    with pytest.raises(ValueError, match="`images`. Expected shape"):
        spectrum(wrong, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_what_is_not_finite(value):
    x = images()
    x[1, 2, 3] = value
    with pytest.raises(ValueError, match="`images`. Expected finite values"):
        spectrum(x, 3)


def test_refuses_lines():
    with pytest.raises(ValueError, match="`lines`. .* Received: lines='both'"):
        spectrum(images(), 3, lines="both")


def test_half_plane_keeps_the_most_once_it_is_filled():
    """All masks of columns, tried one by one."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(3, *SHAPE))
    # DC's column has more power than any other, and less than a pair of them.
    kspace = np.fft.fft2(real)
    others = np.linalg.norm(kspace[..., 1:], axis=(0, 1)).max()
    kspace[..., 0] *= 1.1 * others / np.linalg.norm(kspace[..., 0])
    real = np.fft.ifft2(kspace).real
    columns = power(real).sum(axis=0)
    largest = np.sort(columns)[::-1]
    assert largest[0] == columns[SHAPE[1] // 2] < 2 * largest[6]
    half = half_plane((1, SHAPE[1]))[0]
    found = spectrum(real, 3, lines="columns", half_plane=True).array[0]
    kept = {}
    for taken in itertools.combinations(np.flatnonzero(half), 3):
        mask = np.isin(np.arange(SHAPE[1]), taken)
        kept[taken] = columns[mask | mirrored(mask[None])[0]].sum()
    assert tuple(np.flatnonzero(found)) == max(kept, key=kept.get)


def test_half_plane():
    real = images().real
    mask = spectrum(real, 4, calibration=3, half_plane=True)
    index = np.arange(real[0].size).reshape(real[0].shape)
    gain = np.where(index == mirrored(index), 1, 2) * power(real)
    expected = binarize(gain, 4, calibration=3, half_plane=True)
    np.testing.assert_array_equal(mask.array, expected)
    assert mask.calibration is None
    assert mask.provenance["half_plane"] is True
    assert mask.provenance["calibration_once_filled"] == 3
