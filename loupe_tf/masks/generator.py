"""The random generator of random masks."""

import numpy as np

from loupe_tf.checks import check_integer


def generator(seed):
    """Return a new random generator; NumPy's global one is not used."""
    return np.random.default_rng(check_integer("seed", seed, at_least=0))
