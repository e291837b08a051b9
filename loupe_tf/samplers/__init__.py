"""Samplers: they choose, or learn, which samples of k-space are acquired.

A sampler is a plain object that makes layers. It does not depend on the
network that follows, and `loupe_tf.models.loupe_model` accepts any sampler.
"""

from loupe_tf.on_import import register
from loupe_tf.samplers.from_keywords import from_keywords
from loupe_tf.samplers.given_mask import GivenMask
from loupe_tf.samplers.given_trajectory import GivenTrajectory
from loupe_tf.samplers.learned_mask import LearnedMask
from loupe_tf.samplers.learned_trajectory import LearnedTrajectory
from loupe_tf.samplers.mask_input import MaskInput
from loupe_tf.samplers.rows_and_columns import RowsAndColumns
from loupe_tf.samplers.sampler import Sampler
from loupe_tf.samplers.trajectory_input import TrajectoryInput
from loupe_tf.samplers.within_band import WithinBand
from loupe_tf.samplers.within_scan import WithinScan

__all__ = [
    "GivenMask",
    "GivenTrajectory",
    "LearnedMask",
    "LearnedTrajectory",
    "MaskInput",
    "RowsAndColumns",
    "Sampler",
    "WithinBand",
    "WithinScan",
    "TrajectoryInput",
    "from_keywords",
]

register(at_end_of="samplers")  # Unless the import of Keras did it.
