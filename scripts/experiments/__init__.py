"""What the scripts that reproduce a paper's experiment share.

An experiment is a grid of runs. Each is trained, judged and recorded by
itself; a report is made of all records that a folder holds.
"""

from experiments.conducting import conduct, fit, time_spent
from experiments.keeping import load_images, save_images, to_trace
from experiments.options import (
    add_options,
    add_training_options,
    argument_parser,
    parse,
)
from experiments.presets import TRAINING
from experiments.publishing import publish
from experiments.tables import count, count_diverged, spread, table

__all__ = [
    "TRAINING",
    "add_options",
    "add_training_options",
    "argument_parser",
    "conduct",
    "count",
    "count_diverged",
    "fit",
    "load_images",
    "parse",
    "publish",
    "save_images",
    "spread",
    "table",
    "time_spent",
    "to_trace",
]
