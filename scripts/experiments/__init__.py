"""What the scripts that reproduce a paper's experiment share.

An experiment is a grid of runs. Each is trained, judged and recorded by
itself; a report is made of all records that a folder holds.
"""

from experiments.conducting import conduct, fit
from experiments.keeping import load_images, save_images, to_trace
from experiments.options import (
    add_training_options,
    argument_parser,
    parse,
)
from experiments.presets import TRAINING
from experiments.publishing import publish

__all__ = [
    "TRAINING",
    "add_training_options",
    "argument_parser",
    "conduct",
    "fit",
    "load_images",
    "parse",
    "publish",
    "save_images",
    "to_trace",
]
