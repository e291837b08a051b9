"""Samples of the posterior of images, and whether they are calibrated.

They use `keras.ops` for images `(batch, H, W, 2)` and any forward operator of
`loupe_tf.operators`. The functions that judge samples use NumPy.
"""

from loupe_tf.posterior.calibration import (
    calibration_report,
    coverage,
    deviation_factor,
    error_against_deviation,
    rank_histogram,
    rescale_deviation,
)
from loupe_tf.posterior.conformal import conformal_factor, share_within
from loupe_tf.posterior.detail import Detail, check_detail
from loupe_tf.posterior.ensembles import dropout_samples, ensemble_samples
from loupe_tf.posterior.estimate_noise import estimate_noise
from loupe_tf.posterior.hmc import HMC
from loupe_tf.posterior.langevin import Langevin
from loupe_tf.posterior.levels import noise_levels
from loupe_tf.posterior.map_estimate import map_estimate
from loupe_tf.posterior.posterior_samples import PosteriorSamples
from loupe_tf.posterior.sample import sample
from loupe_tf.posterior.tempered import TemperedPosterior
from loupe_tf.posterior.uncertain_lines import uncertain_lines

__all__ = [
    "HMC",
    "Detail",
    "Langevin",
    "PosteriorSamples",
    "TemperedPosterior",
    "calibration_report",
    "check_detail",
    "conformal_factor",
    "coverage",
    "deviation_factor",
    "dropout_samples",
    "ensemble_samples",
    "error_against_deviation",
    "estimate_noise",
    "map_estimate",
    "noise_levels",
    "rank_histogram",
    "rescale_deviation",
    "sample",
    "share_within",
    "uncertain_lines",
]
