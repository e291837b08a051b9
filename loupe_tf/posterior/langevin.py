import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, check_number


class Langevin:
    """Move chains by Langevin dynamics, with steps that follow the level.

    One step at the level s is

        x ← x + ε ∇ log p_s(x | y) + √(2ε) ½ (z + z'),    ε = length / c(s)

    with z standard normal, z' the z of the step before, and c(s) the largest
    curvature of the tempered posterior, `TemperedPosterior.steepness` (Song and
    Ermon, "Generative modeling by estimating gradients of the data
    distribution", 2019, choose ε ∝ s², to which this is proportional as long as
    s is above σ). There is no Metropolis test.

    The mean of two draws is that of Leimkuhler and Matthews, "Rational
    construction of stochastic numerical methods for molecular sampling", 2013.
    For a Gaussian posterior its variance is right for every length; with z
    alone it would be too large by up to the factor `1 / (1 - length / 2)`. So
    long steps are allowed, and chains forget the level before sooner.

    Args:
        steps: Integer ≥ 1, steps at each level.
        length: Float in (0, 2), the length of a step.
    """

    def __init__(self, steps=10, length=1.0):
        self.steps = check_integer("steps", steps, at_least=1)
        self.length = check_number("length", length, above=0, below=2)

    def start(self, shape):
        """Return what the method keeps besides x of this shape: z'."""
        return (np.zeros(shape, "float32"),)

    def draw(self, rng, shape):
        """Draw the random numbers of one step of one chain."""
        return (rng.standard_normal(shape, "float32"),)

    def move(self, posterior, x, s, state, normal):
        """Do one step with all chains."""
        (before,) = state
        length = self.length / posterior.steepness(s)
        x = x + length * posterior.gradient(x, s)
        return x + ops.sqrt(0.5 * length) * (normal + before), (normal,)

    def acceptance(self, state):
        """Return the mean acceptance of each chain, `None` without a test."""
        return None
