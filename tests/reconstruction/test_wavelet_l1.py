import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.reconstruction import WaveletL1, ZeroFilled, adjoint


def test_better_than_zero_filled(scan, nmse):
    s = scan()
    mask = masks.poisson_disc(s.image.shape, 4, calibration=8, seed=0)
    image = WaveletL1(0.003, iterations=40)(s.kspace, mask, s.maps)
    zero_filled = ZeroFilled()(s.kspace, mask, s.maps)
    assert nmse(image, s.image) < 0.5 * nmse(zero_filled, s.image)


def test_thresholds_what_is_measured_whole(scan):
    """Haar, one 2×2 image: its four wavelets are thresholded by λ."""
    image = np.array([[3, 1], [1, -1j]], np.complex64)
    kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image))) / 2
    haar = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    coefficients = haar @ image @ haar.T
    amplitude = abs(coefficients)
    shrunk = np.maximum(amplitude - 0.1 * 3, 0) / amplitude
    expected = haar.T @ (coefficients * shrunk) @ haar
    full = np.ones((2, 2), bool)
    result = WaveletL1(0.1, iterations=20, wavelet="haar")(kspace, full)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert abs(adjoint(kspace, full)).max() == pytest.approx(3)


def test_stronger_is_smoother(scan):
    s = scan()
    full = np.ones(s.image.shape, bool)
    spread = [
        np.abs(np.diff(WaveletL1(r, 10)(s.kspace, full, s.maps))).sum()
        for r in (0.0, 0.01, 0.1)
    ]
    assert spread[0] > spread[1] > spread[2]


@pytest.mark.parametrize("wavelet", ["bior2.2", "none", "morl"])
def test_wavelet(scan, wavelet):
    s = scan(1, (16, 16))
    with pytest.raises(ValueError, match="`wavelet`. Expected an orthogonal"):
        WaveletL1(0.1, wavelet=wavelet)(s.kspace, np.ones((16, 16), bool))


def test_without_cycle_spinning_it_ends_in_the_minimum(scan):
    """There, one more iteration changes nothing."""
    s = scan(1, (16, 16))
    mask = masks.gaussian((16, 16), 2, calibration=6, seed=0).array

    def change(cycle_spinning):
        options = {"wavelet": "haar", "cycle_spinning": cycle_spinning}
        few, more = (
            WaveletL1(0.01, n, **options)(s.kspace, mask) for n in (400, 401)
        )
        return np.abs(few - more).max() / np.abs(few).max()

    assert change(False) < 1e-5
    assert change(True) > 1e-4
    with pytest.raises(ValueError, match="`cycle_spinning`"):
        WaveletL1(0.01, cycle_spinning="no")
