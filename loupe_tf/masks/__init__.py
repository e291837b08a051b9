"""Sampling masks, independent of any model: fixed patterns, budgets, files."""

from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.band import band, band_weights, bands
from loupe_tf.masks.binarize import binarize
from loupe_tf.masks.budget import budget, calibration_region
from loupe_tf.masks.centre import centred, dc_position
from loupe_tf.masks.description import (
    density_profile,
    overlap,
    point_spread,
    side_lobe,
)
from loupe_tf.masks.fastmri_lines import fastmri_lines
from loupe_tf.masks.fixed_mask import PATTERNS, fixed_mask
from loupe_tf.masks.from_model import from_model, probability_from_model
from loupe_tf.masks.half_plane import half_plane, mirrored
from loupe_tf.masks.mirror_images import lacks_mirror_images, mirror_images
from loupe_tf.masks.patterns import (
    CALIBRATION_SHARE,
    central_lines,
    central_points,
    default_calibration,
    equispaced_lines,
    gaussian,
    gaussian_lines,
    random_lines,
    regular_lines,
    uniform_random,
)
from loupe_tf.masks.poisson_disc import poisson_disc
from loupe_tf.masks.regular_points import regular_points
from loupe_tf.masks.sampling_mask import SamplingMask
from loupe_tf.masks.spectrum import spectrum

__all__ = [
    "CALIBRATION_SHARE",
    "PATTERNS",
    "SamplingMask",
    "acquisition_order",
    "band",
    "band_weights",
    "bands",
    "binarize",
    "budget",
    "calibration_region",
    "central_lines",
    "central_points",
    "centred",
    "dc_position",
    "default_calibration",
    "density_profile",
    "equispaced_lines",
    "fastmri_lines",
    "fixed_mask",
    "from_model",
    "gaussian",
    "gaussian_lines",
    "half_plane",
    "lacks_mirror_images",
    "mirror_images",
    "mirrored",
    "overlap",
    "point_spread",
    "poisson_disc",
    "probability_from_model",
    "random_lines",
    "regular_lines",
    "regular_points",
    "side_lobe",
    "spectrum",
    "uniform_random",
]
