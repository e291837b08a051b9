import numpy as np
from gaussian_case import Case
from keras import ops

from loupe_tf.operators import Cartesian
from loupe_tf.posterior import TemperedPosterior


def test_the_gradient_vanishes_at_the_tempered_mean():
    case = Case((8, 9), batch=2, sigma=0.1)
    target = TemperedPosterior(case.score, case.scan, case.kspace, 0.1)
    s = 0.2
    measured = case.kspace[:, 0] @ np.array([1, 1j])
    prior = case.power + s**2
    mean = prior / (prior + 0.1**2 + s**2) * measured
    x = np.fft.ifft2(np.fft.ifftshift(mean, (-2, -1)), norm="ortho")
    x = np.fft.fftshift(x, (-2, -1))
    x = np.stack([x.real, x.imag], -1).astype("float32")
    x = np.concatenate([x, x, x])  # Three chains.
    found = target.gradient(ops.convert_to_tensor(x), ops.convert_to_tensor(s))
    np.testing.assert_allclose(found, 0, atol=1e-4)


def test_steepness_bounds_the_curvature(rng):
    """With a norm that is not 1, which the power iteration finds."""
    case = Case((8, 9), batch=1, sigma=0.1)
    scan = Cartesian(3 * case.mask[None, ..., None].astype("float32"))
    target = TemperedPosterior(case.score, scan, case.kspace, 0.1)
    assert 9 <= target.norm < 9.5
    s = ops.convert_to_tensor(0.2)
    x = rng.normal(size=(2, 1, 8, 9, 2)).astype("float32")
    first, second = (target.gradient(ops.convert_to_tensor(e), s) for e in x)
    bend = np.linalg.norm(first - second) / np.linalg.norm(x[0] - x[1])
    assert bend <= target.steepness(s)
