import keras
import numpy as np
import pytest

from loupe_tf import fourier

SHAPES = [(31, 33), (16, 16), (5, 8), (1, 7)]


def _random(rng, *shape):
    return rng.normal(size=(*shape, 2)).astype("float32")


def _complex(x):
    x = keras.ops.convert_to_numpy(x)
    return x[..., 0] + 1j * x[..., 1]


@pytest.mark.parametrize("shape", SHAPES)
def test_fft2c_is_numpys_centred_orthonormal_transform(rng, shape):
    x = _random(rng, 2, 3, *shape)
    axes = (-2, -1)
    expected = np.fft.fftshift(
        np.fft.fft2(np.fft.ifftshift(_complex(x), axes=axes), norm="ortho"),
        axes=axes,
    )
    np.testing.assert_allclose(_complex(fourier.fft2c(x)), expected, atol=2e-6)


@pytest.mark.parametrize("forward", ["fft2", "fft2c"])
@pytest.mark.parametrize("shape", SHAPES)
def test_transforms_are_unitary_and_adjoint(rng, shape, forward):
    inverse = "i" + forward
    f, g = getattr(fourier, forward), getattr(fourier, inverse)
    x, y = _random(rng, 1, *shape), _random(rng, 1, *shape)
    np.testing.assert_allclose(g(f(x)), x, atol=2e-6)
    np.testing.assert_allclose(
        np.linalg.norm(_complex(f(x))), np.linalg.norm(_complex(x)), rtol=1e-5
    )
    # ⟨F x, y⟩ = ⟨x, F* y⟩
    left = np.vdot(_complex(y), _complex(f(x)))
    right = np.vdot(_complex(g(y)), _complex(x))
    np.testing.assert_allclose(left, right, rtol=1e-4)


def test_a_constant_image_is_all_dc():
    image = np.zeros((1, 6, 7, 2), "float32")
    image[..., 0] = 1
    kspace = np.abs(_complex(fourier.fft2c(image)))[0]
    assert np.argmax(kspace) == np.ravel_multi_index((3, 3), (6, 7))
    np.testing.assert_allclose(kspace.max(), np.sqrt(42), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_shifting_the_mask_is_shifting_the_data(rng, shape):
    x = _random(rng, 1, *shape)
    mask = rng.integers(0, 2, size=(1, *shape, 1)).astype("float32")
    centred = fourier.ifft2c(keras.ops.multiply(mask, fourier.fft2c(x)))
    corner = fourier.ifft2(
        keras.ops.multiply(fourier.ifftshift(mask), fourier.fft2(x))
    )
    np.testing.assert_allclose(centred, corner, atol=2e-6)


@pytest.mark.parametrize("shape", [*SHAPES, (384, 2), (3, 383)])
@pytest.mark.parametrize("name", ["fft2", "ifft2", "fft2c", "ifft2c"])
def test_matrix_products_are_the_transform(rng, name, shape):
    x = _random(rng, 2, *shape)
    transform = getattr(fourier, name)
    expected = transform(x)
    called = []
    with pytest.MonkeyPatch.context() as patch, fourier.by_matrices():
        patch.setattr(keras.ops, "fft2", called.append)
        found = transform(x)
    assert not called
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(KeyError), fourier.by_matrices():
        raise KeyError
    assert not fourier._BY_MATRICES.get()


def test_half_precision_is_transformed_in_float32(rng):
    x = _random(rng, 1, 8, 8)
    y = fourier.fft2c(keras.ops.cast(x, "bfloat16"))
    assert keras.backend.standardize_dtype(y.dtype) == "float32"


def test_wrong_shape():
    with pytest.raises(ValueError, match=r"`x`.*\(1, 8, 8\)"):
        fourier.fft2c(np.zeros((1, 8, 8), "float32"))
