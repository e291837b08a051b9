from keras import ops

from loupe_tf.checks import check_integer, check_number


class Langevin:
    """Move chains by Langevin dynamics, with steps that follow the level.

    One step at the level s is

        x ← x + ε ∇ log p_s(x | y) + √(2ε) z,    ε = length / c(s)

    with z standard normal and c(s) the largest curvature of the tempered
    posterior, `TemperedPosterior.steepness` (Song and Ermon, "Generative
    modeling by estimating gradients of the data distribution", 2019, choose
    ε ∝ s², to which this is proportional as long as s is above σ). There is
    no Metropolis test. In the direction of largest curvature, the variance is
    too large by the factor 1 / (1 - length / 2); in others by less.

    Args:
        steps: Integer ≥ 1, steps at each level.
        length: Float in (0, 2), the length of a step.
    """

    def __init__(self, steps=20, length=0.4):
        self.steps = check_integer("steps", steps, at_least=1)
        self.length = check_number("length", length, above=0, below=2)

    def start(self, shape):
        """Return what the method keeps besides x of this shape: nothing."""
        return ()

    def draw(self, rng, shape):
        """Draw the random numbers of one step of one chain."""
        return (rng.standard_normal(shape, "float32"),)

    def move(self, posterior, x, s, state, normal):
        """Do one step with all chains."""
        length = self.length / posterior.steepness(s)
        x = x + length * posterior.gradient(x, s)
        return x + ops.sqrt(2.0 * length) * normal, state

    def acceptance(self, state):
        """Return the mean acceptance of each chain, `None` without a test."""
        return None
