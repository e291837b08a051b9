import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, check_number

# Simpson's 3/8 rule on [0, 1].
WEIGHTS = (1 / 8, 3 / 8, 3 / 8, 1 / 8)


class HMC:
    """Move chains by Hamiltonian Monte Carlo with a score alone.

    Each step draws a momentum p, follows the Hamiltonian flow for `leapfrog`
    steps of the length ε, and accepts the new point x' with the probability

        min(1, exp(log p_s(x' | y) - log p_s(x | y) + ½ ‖p‖² - ½ ‖p'‖²))

    (Neal, "MCMC using Hamiltonian dynamics", 2011). A score network has no
    density, so the difference is the line integral of the score from x to x',

        log p(x') - log p(x) = ∫₀¹ (x' - x)·∇ log p(x + t (x' - x)) dt,

    by Simpson's rule with four nodes, as in Ramzi et al., "Denoising
    score-matching for uncertainty quantification in inverse problems", 2020.
    The integral depends on the path only if the score is not a gradient. That
    of a network is not one exactly, so compare with `Langevin`.

    Args:
        steps: Integer ≥ 1, proposals at each level.
        leapfrog: Integer ≥ 1, leapfrog steps of a proposal.
        length: Float in (0, 2), the first length of a leapfrog step:
            `ε = length / √c(s)`, with c(s) the largest curvature,
            `TemperedPosterior.steepness`.
        target: Float in (0, 1), the acceptance towards which the length of each
            chain is adapted from step to step, or `None` for a fixed length.
    """

    def __init__(self, steps=5, leapfrog=8, length=0.5, target=0.7):
        self.steps = check_integer("steps", steps, at_least=1)
        self.leapfrog = check_integer("leapfrog", leapfrog, at_least=1)
        self.length = check_number("length", length, above=0, below=2)
        self.target = target
        if target is not None:
            check_number("target", target, above=0, below=1)

    def start(self, shape):
        """Return log-length, sum of acceptances and number of proposals."""
        return tuple(
            np.full(shape[0], value, "float32")
            for value in (np.log(self.length), 0, 0)
        )

    def draw(self, rng, shape):
        """Draw the momentum, and the logarithm of the uniform number."""
        momentum = rng.standard_normal(shape, "float32")
        return momentum, np.log(1 - rng.random(dtype="float32"))

    def move(self, posterior, x, s, state, momentum, log_uniform):
        """Do one proposal with all chains."""
        log_length, total, count = state
        rank = len(x.shape)
        step = _as_image(ops.exp(log_length), rank)
        step = step / ops.sqrt(posterior.steepness(s))
        first = posterior.gradient(x, s)

        def leap(_, values):
            new, p, gradient = values
            p = p + 0.5 * step * gradient
            new = new + step * p
            gradient = posterior.gradient(new, s)
            return new, p + 0.5 * step * gradient, gradient

        # A loop, so that the compiled graph has the network once.
        new, p, gradient = ops.fori_loop(
            0, self.leapfrog, leap, (x, momentum, first)
        )
        gain = line_integral(posterior, x, new, s, first, gradient)
        gain = gain + 0.5 * (_power(momentum) - _power(p))
        # A trajectory that diverges is rejected.
        gain = ops.where(ops.isfinite(gain), gain, -1e9)
        accepted = _as_image(log_uniform < gain, rank)
        x = ops.where(accepted, new, x)
        chance = ops.exp(ops.minimum(gain, 0.0))
        if self.target is not None:
            log_length = log_length + 0.4 * (chance - self.target)
            log_length = ops.minimum(log_length, float(np.log(1.9)))
        return x, (log_length, total + chance, count + 1.0)

    def acceptance(self, state):
        """Return the mean acceptance of each chain."""
        _, total, count = state
        return np.asarray(total) / np.maximum(count, 1)


def line_integral(posterior, x, new, s, first, last):
    """Integrate the score along the line from `x` to `new`, per example.

    Args:
        posterior: `TemperedPosterior`.
        x, new: Tensors `(n, ...)`, the ends.
        s: Scalar tensor, the level.
        first, last: The scores at the ends.
    """
    way = new - x
    nodes = [
        first,
        posterior.gradient(x + way / 3.0, s),
        posterior.gradient(x + 2.0 * way / 3.0, s),
        last,
    ]
    mean = sum(weight * node for weight, node in zip(WEIGHTS, nodes))
    return ops.sum(mean * way, tuple(range(1, len(x.shape))))


def _power(x):
    return ops.sum(ops.square(x), tuple(range(1, len(x.shape))))


def _as_image(values, rank):
    """Give `(n,)` the axes `(n, 1, ..., 1)`."""
    return ops.reshape(values, (-1, *[1] * (rank - 1)))
