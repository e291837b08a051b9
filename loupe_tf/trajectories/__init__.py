"""Trajectories: where in k-space a non-Cartesian scan takes its samples.

`loupe_tf.operators.NonUniform` measures with them. Patterns, files and hardware
limits need only NumPy; what Keras computes is imported when it is first used.
"""

import importlib
import typing

from loupe_tf.trajectories.density import (
    decaying_density,
    distance_to_density,
    learned_density,
    uniform_density,
)
from loupe_tf.trajectories.from_model import from_model
from loupe_tf.trajectories.hardware import HARDWARE, Hardware
from loupe_tf.trajectories.hardware_report import HardwareReport
from loupe_tf.trajectories.patterns import (
    GOLDEN_ANGLE,
    epi,
    radial,
    rosette,
    spiral,
)
from loupe_tf.trajectories.sparkling import sparkling
from loupe_tf.trajectories.trajectory import Trajectory
from loupe_tf.trajectories.volumes import cones, stack, stack_of_stars

if typing.TYPE_CHECKING:  # For editors and readers.
    from loupe_tf.trajectories.feasible import FeasibleCurves
    from loupe_tf.trajectories.limit_penalty import LimitPenalty

__all__ = [
    "GOLDEN_ANGLE",
    "HARDWARE",
    "FeasibleCurves",
    "Hardware",
    "HardwareReport",
    "LimitPenalty",
    "Trajectory",
    "cones",
    "decaying_density",
    "distance_to_density",
    "epi",
    "from_model",
    "learned_density",
    "radial",
    "rosette",
    "sparkling",
    "spiral",
    "stack",
    "stack_of_stars",
    "uniform_density",
]

# Modules of what needs Keras.
WITH_KERAS = {"FeasibleCurves": "feasible", "LimitPenalty": "limit_penalty"}


def __getattr__(name):
    if name in WITH_KERAS:
        module = f"loupe_tf.trajectories.{WITH_KERAS[name]}"
        return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
