"""Keras layers: the probability mask, its realizations, and the transform.

The names follow the original LOUPE. All layers compute in float32 under every
dtype policy and run on the TensorFlow, JAX and torch backends.
"""

from loupe_tf.layers.combine_coils import CombineCoils
from loupe_tf.layers.complex_abs import ComplexAbs
from loupe_tf.layers.concatenate_zero import ConcatenateZero
from loupe_tf.layers.conjugate_fill import ConjugateFill
from loupe_tf.layers.data_consistency import DataConsistency
from loupe_tf.layers.expand_coils import ExpandCoils
from loupe_tf.layers.fft import FFT
from loupe_tf.layers.fill_mirror import FillMirror
from loupe_tf.layers.fixed_mask import FixedMask
from loupe_tf.layers.fixed_trajectory import FixedTrajectory
from loupe_tf.layers.gaussian_score import GaussianScore
from loupe_tf.layers.haar_transform import HaarTransform
from loupe_tf.layers.ifft import IFFT
from loupe_tf.layers.learned_positions import LearnedPositions
from loupe_tf.layers.logit_uniform import LogitUniform
from loupe_tf.layers.mask_within import MaskWithin
from loupe_tf.layers.outer_mask import OuterMask
from loupe_tf.layers.prob_mask import ProbMask
from loupe_tf.layers.receiver_noise import ReceiverNoise
from loupe_tf.layers.rescale_below import RescaleBelow
from loupe_tf.layers.rescale_prob_map import RescaleProbMap
from loupe_tf.layers.sample_trajectory import SampleTrajectory
from loupe_tf.layers.spectral_conv2d import SpectralConv2D
from loupe_tf.layers.threshold_random_mask import ThresholdRandomMask
from loupe_tf.layers.under_sample import UnderSample
from loupe_tf.on_import import register

__all__ = [
    "FFT",
    "IFFT",
    "CombineCoils",
    "ComplexAbs",
    "ConcatenateZero",
    "ConjugateFill",
    "DataConsistency",
    "ExpandCoils",
    "FillMirror",
    "FixedMask",
    "GaussianScore",
    "FixedTrajectory",
    "HaarTransform",
    "LearnedPositions",
    "LogitUniform",
    "MaskWithin",
    "OuterMask",
    "ProbMask",
    "ReceiverNoise",
    "RescaleBelow",
    "RescaleProbMap",
    "SampleTrajectory",
    "SpectralConv2D",
    "ThresholdRandomMask",
    "UnderSample",
]

register(at_end_of="layers")  # Unless the import of Keras did it.
