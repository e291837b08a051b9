import numpy as np
import pytest

import loupe_tf
from loupe_tf import masks, simulation
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.reconstruction import Prewhitened, Sense, whitening_matrix
from loupe_tf.reconstruction.prewhiten import whiten_maps

SIZE = (48, 48)


def white(rng, *shape):
    """Complex noise of standard deviation 1."""
    return rng.normal(scale=0.5**0.5, size=(*shape, 2)) @ np.array([1, 1j])


@pytest.fixture
def mixing(rng):
    """Coils of unequal noise, of which pairs are coupled."""
    mixing = np.diag([1.0, 1.0, 3.0, 9.0]).astype(complex)
    mixing[1, 0], mixing[3, 2] = 0.8j, -2.0
    return 0.01 * mixing


def test_whitened_noise_has_the_identity_as_covariance(rng, mixing):
    noise = mixing @ white(rng, 4, 20000)
    matrix = whitening_matrix(noise)
    assert matrix.shape == (4, 4) and matrix.dtype == np.complex64
    assert not np.triu(matrix, 1).any()
    found = matrix @ noise
    covariance = found @ found.conj().T / noise.shape[1]
    np.testing.assert_allclose(covariance, np.eye(4), atol=1e-5)
    # So has other noise of the same scanner, up to chance.
    found = matrix @ (mixing @ white(rng, 4, 20000))
    covariance = found @ found.conj().T / noise.shape[1]
    np.testing.assert_allclose(covariance, np.eye(4), atol=0.05)


def test_white_noise_and_units_of_any_size(rng):
    noise = white(rng, 3, 50000)
    np.testing.assert_allclose(whitening_matrix(noise), np.eye(3), atol=0.02)
    tiny, huge = (whitening_matrix(x * noise) for x in (1e-9, 1e9))
    np.testing.assert_allclose(tiny * 1e-9, huge * 1e9, rtol=1e-4, atol=1e-7)


def test_the_error_of_sense_drops(rng, mixing):
    pytest.importorskip("sigpy")
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    image = (np.hypot(x, y) < 0.8) * (0.7 + 0.3 * np.cos(9 * x))
    maps = simulation.birdcage_maps(SIZE, 4)
    noise = np.einsum("ij,jyx->iyx", mixing, white(rng, 4, *SIZE))
    mask = masks.equispaced_lines(SIZE, 2, 8)
    scan = np.where(mask.array, fft2c(maps * image) + noise, 0)[None]
    volume = Prewhitened(scan, mixing @ white(rng, 4, 5000))
    assert volume.shape == scan.shape and len(volume) == 1
    errors = []
    for kspace, own, brightness in (
        (scan, maps, 1),
        (
            volume,
            whiten_maps(volume.matrix, maps),
            np.linalg.norm(np.tensordot(volume.matrix, maps, 1), axis=0),
        ),
    ):
        energy = np.sum(np.abs(own) ** 2, axis=0)
        np.testing.assert_allclose(energy, 1, rtol=1e-5)
        found = loupe_tf.reconstruct(Sense(1e-6, 30), kspace, mask, own)[0]
        errors.append(np.linalg.norm(found / brightness - image))
    assert errors[1] < 0.6 * errors[0]


def test_maps_that_are_zero_stay_zero(rng):
    maps = white(rng, 2, 3, 4, 5)
    maps[..., 0] = 0
    matrix = whitening_matrix(white(rng, 3, 100))
    found = whiten_maps(matrix, maps)
    assert found.shape == maps.shape and not found[..., 0].any()
    one = whiten_maps(matrix, maps[1])
    np.testing.assert_allclose(found[1], one, rtol=1e-5)
    # As whitened k-space has them, but for the brightness.
    expected = np.tensordot(matrix, maps[1], 1)
    expected /= np.where(expected.any(0), np.linalg.norm(expected, axis=0), 1)
    np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x: x[:, :2], "at least the number of coils"),
        (lambda x: x[0], "at least the number of coils"),
        (lambda x: x.real, "a complex array.*float64"),
        (lambda x: np.where(x == x[1, 3], np.nan, x), "finite samples"),
        (lambda x: x * [[1], [0], [1]], "zeros in coil 1"),
        (lambda x: x[[0, 1, 1]], "combination of the others"),
    ],
)
def test_refuses_what_is_no_noise(rng, change, message):
    with pytest.raises(ValueError, match=f"`noise`.*{message}"):
        whitening_matrix(change(white(rng, 3, 100)))


def test_refuses_noise_of_other_coils(rng):
    with pytest.raises(ValueError, match="`noise`.*noise of 3 coils"):
        Prewhitened(np.ones((1, 4, 8, 8), complex), white(rng, 3, 100))
    with pytest.raises(ValueError, match="slices, coils, H, W"):
        Prewhitened(np.ones((3, 8, 8), complex), white(rng, 3, 100))
