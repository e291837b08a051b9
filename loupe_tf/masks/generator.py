"""Where random masks take their numbers from."""

import numpy as np

from loupe_tf.checks import check_integer


def generator(seed):
    """A random generator of our own: NumPy's global one is left alone."""
    return np.random.default_rng(check_integer("seed", seed, at_least=0))
