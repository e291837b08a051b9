"""What the scripts that reproduce a paper's experiment share.

An experiment is a grid of runs. Each is trained, judged and recorded by
itself; a report is made of all records that a folder holds.
"""

from experiments.cells import compare, means, rates_of
from experiments.claims import Claim, verdicts
from experiments.conducting import PLACES, conduct, fit, time_spent
from experiments.heat_map import heat_map
from experiments.keeping import load_images, save_images, to_trace
from experiments.main import main
from experiments.options import (
    add_options,
    add_training_options,
    argument_parser,
    parse,
)
from experiments.panels import errorbars, panels
from experiments.presets.comparing_masks import TRAINING
from experiments.publishing import publish
from experiments.run import Run
from experiments.showing import draw_outputs, draw_rows, first_images
from experiments.side_by_side import side_by_side
from experiments.tables import (
    TRAINING_COLUMNS,
    count,
    count_diverged,
    metric,
    spread,
    table,
)
from experiments.unet import build_unet

__all__ = [
    "PLACES",
    "TRAINING",
    "TRAINING_COLUMNS",
    "Claim",
    "Run",
    "add_options",
    "build_unet",
    "add_training_options",
    "argument_parser",
    "compare",
    "conduct",
    "count",
    "count_diverged",
    "draw_outputs",
    "draw_rows",
    "errorbars",
    "first_images",
    "fit",
    "heat_map",
    "load_images",
    "main",
    "means",
    "metric",
    "panels",
    "parse",
    "publish",
    "rates_of",
    "save_images",
    "side_by_side",
    "spread",
    "table",
    "time_spent",
    "to_trace",
    "verdicts",
]
