import numpy as np
import pytest
from gaussian_case import Case

from loupe_tf import posterior
from loupe_tf.posterior.chains import Chains


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"length": 0}, {"length": 2}])
def test_arguments_are_checked(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}`"):
        posterior.Langevin(**wrong)


@pytest.mark.parametrize("length", [1.0, 1.7])
def test_long_steps_leave_the_variance_of_a_gaussian(length):
    """At one level; a new z alone would leave up to 1 / (1 - length / 2)."""
    case = Case((8, 9), batch=1, sigma=0.05)
    target = posterior.TemperedPosterior(case.score, case.scan, case.kspace, 0)
    s = 0.2
    chains = Chains(target, posterior.Langevin(200, length), 64, seed=0)
    x = chains.advance(chains.start(s), 0, s)[0]
    found = case.spectrum_of(x).var(0, ddof=1) / 2
    exact = 1 / (1 / (case.power + s**2) + case.mask / s**2)
    for part in case.mask, ~case.mask:
        np.testing.assert_allclose((found / exact)[part].mean(), 1, atol=0.06)
