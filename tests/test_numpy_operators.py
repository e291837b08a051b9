import numpy as np
import pytest

from loupe_tf import fourier, masks
from loupe_tf.numpy_fourier import fft2c, ifft2c
from loupe_tf.reconstruction import adjoint, forward

SIZES = [(8, 8), (7, 8), (8, 5), (9, 7)]


def draw(rng, *shape):
    x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return x.astype(np.complex64)


@pytest.mark.parametrize("lines", [None, "columns", "rows"])
@pytest.mark.parametrize("coils", [None, 1, 4])
@pytest.mark.parametrize("size", SIZES)
def test_adjoint_by_dot_product(rng, size, coils, lines):
    shape = {None: size, "columns": (1, size[1]), "rows": (size[0], 1)}[lines]
    mask = rng.uniform(size=shape) < 0.5
    maps = None if coils is None else draw(rng, coils, *size)
    x = draw(rng, *size)
    y = draw(rng, *(size if coils is None else (coils, *size)))
    left = np.vdot(y, forward(x, mask, maps))
    right = np.vdot(adjoint(y, mask, maps), x)
    np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_same_transform_as_the_layers(rng, size):
    x = draw(rng, 3, *size)
    expected = fourier.fft2c(np.stack([x.real, x.imag], axis=-1))
    expected = np.asarray(expected) @ np.array([1, 1j])
    np.testing.assert_allclose(fft2c(x), expected, atol=1e-5)
    np.testing.assert_allclose(ifft2c(fft2c(x)), x, atol=1e-6)


def test_forward_is_the_equation(rng):
    x, maps = draw(rng, 5, 6), draw(rng, 2, 5, 6)
    mask = masks.random_lines((1, 6), 2, seed=0)
    k = forward(x, mask, maps)
    assert k.shape == (2, 5, 6) and k.dtype == np.complex64
    for coil in range(2):
        expected = fft2c(maps[coil] * x)
        np.testing.assert_allclose(
            k[coil][:, mask.array[0]], expected[:, mask.array[0]], atol=1e-6
        )
    assert not k[:, :, ~mask.array[0]].any()


def test_coil_images_without_maps(rng):
    y = draw(rng, 3, 5, 6)
    mask = rng.uniform(size=(5, 6)) < 0.5
    np.testing.assert_allclose(adjoint(y, mask), ifft2c(y * mask), atol=1e-6)


def test_what_is_not_acquired_is_not_read(rng):
    y = draw(rng, 5, 6)
    mask = np.ones((5, 6), bool)
    mask[2, 3] = False
    y[2, 3] = np.nan
    assert np.isfinite(adjoint(y, mask)).all()


@pytest.mark.parametrize(
    "argument, change",
    [
        ("kspace", {"kspace": np.zeros((3, 8, 6, 2), "float32")}),
        ("kspace", {"kspace": np.zeros(6, "complex64")}),
        ("mask", {"mask": np.ones((6, 8), bool)}),
        ("mask", {"mask": np.ones((1, 1), bool)}),
        ("mask", {"mask": np.ones(6, bool)}),
        ("mask", {"mask": np.full((8, 6), 0.5)}),
        ("maps", {"maps": np.ones((2, 8, 6), "complex64")}),
        ("maps", {"maps": np.ones((3, 6, 8), "complex64")}),
        ("maps", {"maps": np.ones((8, 6), "complex64")}),
        ("maps", {"maps": np.full((3, 8, 6), np.nan)}),
    ],
)
def test_errors(argument, change):
    arguments = {
        "kspace": np.zeros((3, 8, 6), "complex64"),
        "mask": np.ones((8, 6), bool),
        "maps": np.ones((3, 8, 6), "complex64"),
    }
    with pytest.raises(ValueError, match=f"`{argument}`. Expected"):
        adjoint(**{**arguments, **change})


def test_maps_need_one_image():
    with pytest.raises(ValueError, match="`image`"):
        forward(np.ones((2, 4, 4)), np.ones((4, 4)), np.ones((2, 4, 4)))
