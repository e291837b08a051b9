"""Shared code of the scripts that reproduce a paper's experiment.

An experiment is a grid of runs. Each run is trained, evaluated and recorded
separately. The report covers all records in a folder.
"""

from experiments.cells import means, partner, rates_of
from experiments.claims import Claim, findings, verdicts
from experiments.conducting import conduct, fit, fit_one_round, time_spent
from experiments.main import main
from experiments.run import Run
from experiments.showing import draw_outputs, first_images
from experiments.tables import (
    TRAINING_COLUMNS,
    count,
    count_diverged,
    metric,
    spread,
    table,
)
from experiments.unet import build_unet
from loupe_tf.kept_images import load_images, save_images
from loupe_tf.publishing import publish

__all__ = [
    "TRAINING_COLUMNS",
    "Claim",
    "Run",
    "build_unet",
    "conduct",
    "count",
    "count_diverged",
    "draw_outputs",
    "findings",
    "first_images",
    "fit",
    "fit_one_round",
    "load_images",
    "main",
    "means",
    "metric",
    "partner",
    "publish",
    "rates_of",
    "save_images",
    "spread",
    "table",
    "time_spent",
    "verdicts",
]
