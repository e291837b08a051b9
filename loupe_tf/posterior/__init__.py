"""Samples of the posterior of images, and whether they are calibrated.

They use `keras.ops` for images `(batch, H, W, 2)` and any forward operator of
`loupe_tf.operators`. What judges samples uses NumPy.
"""

from loupe_tf.posterior.estimate_noise import estimate_noise
from loupe_tf.posterior.hmc import HMC
from loupe_tf.posterior.langevin import Langevin
from loupe_tf.posterior.levels import noise_levels
from loupe_tf.posterior.map_estimate import map_estimate
from loupe_tf.posterior.posterior_samples import PosteriorSamples
from loupe_tf.posterior.sample import sample
from loupe_tf.posterior.tempered import TemperedPosterior

__all__ = [
    "HMC",
    "Langevin",
    "PosteriorSamples",
    "TemperedPosterior",
    "estimate_noise",
    "map_estimate",
    "noise_levels",
    "sample",
]
