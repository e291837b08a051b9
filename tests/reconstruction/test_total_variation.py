import numpy as np
import pytest

from loupe_tf import masks
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
    np.testing.assert_allclose(result, expected, atol=2e-3)
