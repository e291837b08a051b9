"""The sampling mask as a thing of its own: fixed patterns, budgets, files."""

from loupe_tf.masks.binarize import binarize
from loupe_tf.masks.budget import budget, calibration_region
from loupe_tf.masks.from_model import from_model, probability_from_model
from loupe_tf.masks.patterns import (
    equispaced_lines,
    gaussian,
    random_lines,
    uniform_random,
)
from loupe_tf.masks.poisson_disc import poisson_disc
from loupe_tf.masks.sampling_mask import SamplingMask
from loupe_tf.masks.spectrum import spectrum

__all__ = [
    "SamplingMask",
    "binarize",
    "budget",
    "calibration_region",
    "equispaced_lines",
    "from_model",
    "gaussian",
    "poisson_disc",
    "probability_from_model",
    "random_lines",
    "spectrum",
    "uniform_random",
]
