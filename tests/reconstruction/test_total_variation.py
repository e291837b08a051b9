import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.reconstruction import TotalVariation, ZeroFilled, forward


def test_better_than_zero_filled(scan, nmse):
    s = scan()
    mask = masks.poisson_disc(s.image.shape, 4, calibration=8, seed=0)
    image = TotalVariation(0.003, iterations=100)(s.kspace, mask, s.maps)
    zero_filled = ZeroFilled()(s.kspace, mask, s.maps)
    assert nmse(image, s.image) < 0.2 * nmse(zero_filled, s.image)


@pytest.mark.parametrize("regularization", [0.002, 0.02])
def test_converges_without_an_acquired_centre(scan, regularization):
    """The default number of iterations is as good as many more."""
    s = scan(coils=1, size=(32, 30))
    mask = masks.gaussian(s.image.shape, 4, seed=0)
    call = (s.kspace, mask, s.maps)
    few = TotalVariation(regularization)(*call)
    many = TotalVariation(regularization, iterations=3000)(*call)
    error = np.linalg.norm(few - many) / np.linalg.norm(many)
    assert error < 0.02


def test_step_of_known_solution():
    """Measured whole, a bar of height h and width w loses 2λ/w of it."""
    image = np.zeros((5, 20), np.complex64)
    image[:, 5:15] = 1j
    full = np.ones((5, 20), bool)
    result = TotalVariation(0.5, 500)(forward(image, full), full)
    expected = np.full((5, 20), 0.1j)
    expected[:, 5:15] = 0.9j
    np.testing.assert_allclose(result, expected, atol=2e-6)


def objective(image, s, mask, regularization):
    """The objective for k-space whose zero-filled image has the maximum 1."""
    image = np.asarray(image, np.complex128)
    misfit = np.where(mask, fft2c(s.maps * image) - s.kspace, 0)
    edges = [np.roll(image, 1, axis) - image for axis in (0, 1)]
    penalty = regularization * np.abs(edges).sum()
    return 0.5 * np.sum(np.abs(misfit) ** 2) + penalty


@pytest.mark.parametrize(
    "regularization", [0.003, pytest.param(0.03, marks=pytest.mark.slow)]
)
def test_reaches_the_minimum(scan, regularization):
    """Not worse than sigpy's step sizes in four times as many iterations."""
    sigpy = pytest.importorskip("sigpy")
    s = scan(coils=2, size=(32, 30))
    mask = masks.random_lines(s.image.shape, 3, calibration=6, seed=0).array
    largest = np.abs(ZeroFilled()(s.kspace, mask, s.maps)).max()
    s.kspace = s.kspace / largest
    step = 1 / (8 + (np.abs(s.maps) ** 2).sum(0).max())
    least = sigpy.mri.app.TotalVariationRecon(
        np.where(mask, s.kspace, 0).astype(complex),
        s.maps.astype(complex),
        regularization,
        weights=mask.astype(float),
        tau=float(step),
        sigma=1.0,
        max_iter=4 * 1500,
        show_pbar=False,
    ).run()
    least = objective(least, s, mask, regularization)
    image = TotalVariation(regularization, 1500)(s.kspace, mask, s.maps)
    found = objective(image, s, mask, regularization)
    assert found < least * (1 + 1e-6)
