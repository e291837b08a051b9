import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, check_number
from loupe_tf.posterior.chains import Chains, run
from loupe_tf.posterior.levels import standardize_levels
from loupe_tf.posterior.sample import find_sigma, warn_of_scale
from loupe_tf.posterior.tempered import TemperedPosterior


class Ascent:
    """Move images uphill on the tempered posterior, by accelerated gradients.

    With v the velocity, and c(s) the largest curvature,

        v ← momentum · v + ∇ log p_s(x | y) / c(s),    x ← x + v

    Args:
        steps: Integer ≥ 1, steps at each level.
        momentum: Float in [0, 1).
    """

    def __init__(self, steps=20, momentum=0.9):
        self.steps = check_integer("steps", steps, at_least=1)
        self.momentum = check_number("momentum", momentum, at_least=0, below=1)

    def start(self, shape):
        """Return the first velocity."""
        return (np.zeros(shape, "float32"),)

    def draw(self, rng, shape):
        """Draw nothing; one number counts the steps."""
        return (np.float32(0),)

    def move(self, posterior, x, s, state, _):
        """Do one step."""
        (velocity,) = state
        uphill = posterior.gradient(x, s) / posterior.steepness(s)
        velocity = self.momentum * velocity + uphill
        return x + velocity, (velocity,)


def map_estimate(
    score,
    scan,
    measurement,
    sigma=None,
    levels=None,
    steps=20,
    progress=False,
    noise_scan=None,
):
    """Find the most probable image, given its measurement.

    The image climbs on the tempered posterior (`TemperedPosterior`) while the
    level falls, from the adjoint image on. The result maximizes the posterior
    at the last level, or a local maximum of it. It is one image, and says
    nothing about what is uncertain; the mean of samples has a lower squared
    error.

    Args:
        score, scan, measurement, sigma, levels, noise_scan: As for
            `loupe_tf.posterior.sample`.
        steps: Integer ≥ 1, steps at each level.
        progress: Boolean. Whether to show a progress bar.

    Returns:
        Array `(batch, H, W, 2)`.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> prior = loupe_tf.layers.GaussianScore(np.ones((32, 32)))
    >>> scan = loupe_tf.operators.Cartesian()
    >>> kspace = np.ones((1, 1, 32, 32, 2))
    >>> levels = loupe_tf.posterior.noise_levels(1, 0.05, count=10)
    >>> loupe_tf.posterior.map_estimate(
    ...     prior, scan, kspace, sigma=0.1, levels=levels
    ... ).shape
    (1, 32, 32, 2)
    """
    sigma, _ = find_sigma(sigma, scan, measurement, noise_scan)
    levels, _ = standardize_levels(levels, None, score, sigma)
    posterior = TemperedPosterior(score, scan, measurement, sigma)
    warn_of_scale(posterior)
    adjoint = ops.convert_to_numpy(posterior.adjoint)
    group = Chains(posterior, Ascent(steps), 1, seed=0, start=adjoint)
    return run(group, levels, levels[-1:], progress=progress)[0]
