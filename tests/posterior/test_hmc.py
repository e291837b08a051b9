import numpy as np
import pytest
from keras import ops
from scipy.stats import kstest, norm

from loupe_tf import posterior
from loupe_tf.posterior.chains import Chains
from loupe_tf.posterior.hmc import line_integral

WEIGHTS, MEANS, WIDTHS = (0.3, 0.7), (-1.0, 1.2), (0.5, 0.7)


class Mixture:
    """Independent numbers from a mixture of two normal densities."""

    shape = (1, 1, 1, 1)

    def steepness(self, s):
        return ops.ones_like(s)

    def gradient(self, x, s):
        parts = [
            w / d * ops.exp(-0.5 * ops.square((x - m) / d))
            for w, m, d in zip(WEIGHTS, MEANS, WIDTHS)
        ]
        slopes = [(m - x) / d**2 for m, d in zip(MEANS, WIDTHS)]
        total = sum(p * g for p, g in zip(parts, slopes))
        return total / (sum(parts) + 1e-20)


def density(x, function):
    return sum(w * function(x, m, d) for w, m, d in zip(WEIGHTS, MEANS, WIDTHS))


def exact(rng, count):
    which = rng.choice(2, count, p=WEIGHTS)
    x = rng.normal(np.array(MEANS)[which], np.array(WIDTHS)[which])
    return x.reshape(count, 1, 1, 1).astype("float32")


def test_the_mixture_is_kept(rng):
    """Detailed balance: exact samples stay exact, and reach the other mode."""
    method = posterior.HMC(steps=12, leapfrog=2, length=1.0, target=None)
    start = exact(rng, 2000)
    chains = Chains(Mixture(), method, 2000, seed=0, start=start)
    state = chains.advance(chains.start(1.0), 0, 1.0)
    x = state[0].ravel()
    assert 0.5 < method.acceptance(state[1:]).mean() < 0.99
    assert kstest(x, lambda t: density(t, norm.cdf)).pvalue > 1e-3
    assert (np.sign(x) != np.sign(start.ravel())).mean() > 0.1


def test_without_the_metropolis_test_it_is_not(rng):
    """Steps of this length need it."""
    method = posterior.HMC(steps=12, leapfrog=2, length=1.0, target=None)
    # Every proposal is accepted.
    method.draw = lambda rng, shape: (
        rng.standard_normal(shape, "float32"),
        np.float32(-1e9),
    )
    chains = Chains(Mixture(), method, 2000, seed=0, start=exact(rng, 2000))
    x = chains.advance(chains.start(1.0), 0, 1.0)[0].ravel()
    assert kstest(x, lambda t: density(t, norm.cdf)).pvalue < 1e-4


def test_the_line_integral_is_the_difference_of_log_densities(rng):
    x = exact(rng, 200)
    new = x + rng.uniform(-0.7, 0.7, x.shape).astype("float32")
    mixture, one = Mixture(), ops.ones(())
    ends = [mixture.gradient(ops.convert_to_tensor(e), one) for e in (x, new)]
    found = line_integral(mixture, x, new, one, *ends)
    before, after = (np.log(density(e, norm.pdf)).ravel() for e in (x, new))
    np.testing.assert_allclose(found, after - before, atol=0.02)


def test_the_length_adapts_to_the_acceptance(rng):
    method = posterior.HMC(steps=40, leapfrog=2, length=0.1, target=0.8)
    chains = Chains(Mixture(), method, 50, seed=0, start=exact(rng, 50))
    state = chains.advance(chains.start(1.0), 0, 1.0)
    assert np.exp(state[1]).mean() > 0.3


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"leapfrog": 0}, {"length": 2}, {"target": 1}]
)
def test_arguments_are_checked(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}`"):
        posterior.HMC(**wrong)
