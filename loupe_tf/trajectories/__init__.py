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
from loupe_tf.trajectories.volumes import cones, stack, stack_of_stars

__all__ = [
    "GOLDEN_ANGLE",
    "Trajectory",
    "cones",
    "epi",
    "radial",
    "rosette",
    "spiral",
    "stack",
    "stack_of_stars",
]
