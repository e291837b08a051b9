"""Trajectories: where in k-space a non-Cartesian scan takes its samples.

They need only NumPy. `loupe_tf.operators.NonUniform` measures with them.
"""

from loupe_tf.trajectories.patterns import (
    GOLDEN_ANGLE,
    epi,
    radial,
    rosette,
    spiral,
)
from loupe_tf.trajectories.trajectory import Trajectory

__all__ = [
    "GOLDEN_ANGLE",
    "Trajectory",
    "epi",
    "radial",
    "rosette",
    "spiral",
]
