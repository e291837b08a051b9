import numpy as np
from gaussian_case import Case
from keras import ops

from loupe_tf.operators import Cartesian
from loupe_tf.posterior import TemperedPosterior
from loupe_tf.posterior.chains import Chains
from loupe_tf.posterior.flow import flow
from loupe_tf.posterior.langevin import Langevin


def test_the_flow_takes_a_gaussian_from_level_to_level(rng):
    """Images that are not measured have the spectrum P + s²."""
    case = Case((8, 9), batch=1, sigma=1)
    nothing = Cartesian(np.zeros((1, 8, 9, 1), "float32"))
    target = TemperedPosterior(case.score, nothing, case.kspace, 1)
    x = rng.normal(size=(3, 8, 9, 2)).astype("float32")
    levels = np.geomspace(0.3, 0.1, 9).astype("float32")
    found = x
    for pair in zip(levels[:-1], levels[1:]):
        found = flow(target, found, *map(ops.convert_to_tensor, pair))
    factor = np.sqrt((case.power + 0.1**2) / (case.power + 0.3**2))
    expected = factor * case.spectrum_of(x)
    found = case.spectrum_of(ops.convert_to_numpy(found))
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_the_rest_is_removed_to_first_order():
    """From the spectrum P + s², about P is left where P is above s²."""
    case = Case((8, 9), batch=1, sigma=1)
    nothing = Cartesian(np.zeros((1, 8, 9, 1), "float32"))
    target = TemperedPosterior(case.score, nothing, case.kspace, 1)
    chains = Chains(target, Langevin(), 1, seed=0)
    s = float(np.sqrt(case.power.min() / 4))
    found = case.spectrum_of(chains.denoise(case.truth, s, 0))
    factor = np.sqrt(case.power / (case.power + s**2))
    ratio = found / (factor * case.spectrum_of(case.truth))
    np.testing.assert_allclose(ratio, 1, atol=0.01)


def test_a_scan_of_large_norm_does_not_diverge():
    case = Case((8, 9), batch=1, sigma=0.01)
    scan = Cartesian(np.full((1, 8, 9, 1), 8, "float32"))
    y = 8 * case.kspace
    target = TemperedPosterior(case.score, scan, y, 0.01)
    chains = Chains(target, Langevin(), 1, seed=0)
    mean = case.truth
    for pair in (0.3, 0.2), (0.2, 0):
        mean = chains.denoise(mean, *pair)
    assert np.abs(mean).max() < 2 * np.abs(case.truth).max()
