"""What the scripts that reproduce a paper's experiment share.

An experiment is a grid of runs. Each is trained, judged and recorded by
itself; a report is made of all records that a folder holds.
"""

import numpy as np

from experiments.conducting import conduct, fit
from experiments.keeping import load_images, save_images, to_trace
from experiments.options import (
    add_training_options,
    argument_parser,
    parse,
)
from experiments.presets import TRAINING
from experiments.publishing import publish
from loupe_tf import evaluation

__all__ = [
    "TRAINING",
    "add_training_options",
    "argument_parser",
    "by_cell",
    "conduct",
    "fit",
    "in_words",
    "load_images",
    "number_of_volumes",
    "paired",
    "parse",
    "publish",
    "save_images",
    "to_trace",
]


def by_cell(records, key, order=None):
    """Records of all seeds of each cell of a grid, in a fixed order.

    Args:
        records: List of records with a `seed`.
        key: Callable that takes a record and returns its cell.
        order: (Optional) callable that takes a record and returns what cells
            are sorted by; by default they keep the order they come in.

    Returns:
        A dict by cell of lists of records, sorted by seed.
    """
    cells = {}
    # Stable: cells of the same order stay as they came.
    if order:
        records = sorted(records, key=order)
    for record in records:
        cells.setdefault(key(record), []).append(record)
    return {k: sorted(v, key=lambda r: r["seed"]) for k, v in cells.items()}


def paired(records, others, volumes, metric="psnr"):
    """Differences between records of the same seed, on the same volume.

    Args:
        records, others: Lists of records with a `seed`, each seed once. Those
            that have no partner are left out.
        volumes: Callable that takes a record and returns the metrics of each
            volume (`loupe_tf.evaluation.per_volume`), or `None` if the run has
            diverged.
        metric: String, the metric.

    Returns:
        Array of `records - others`, one value for each seed and volume.
    """
    others = {record["seed"]: volumes(record) for record in others}
    differences = [np.zeros(0)]
    for record in records:
        pair = volumes(record), others.get(record["seed"])
        if None not in pair:
            differences.append(evaluation.paired_difference(*pair, metric))
    return np.concatenate(differences)


def number_of_volumes(records, volumes):
    """How many test volumes records are of.

    Args:
        records: List of records.
        volumes: As in `paired`.
    """
    return max((len(volumes(record) or ()) for record in records), default=0)


def in_words(differences, volumes=None):
    """Mean, deviation and significance of what `paired` returns.

    Args:
        differences: Array of decibels, one for each seed and volume.
        volumes: (Optional) integer, of how many volumes they are; by default
            of as many as there are differences. One volume gives neither a
            deviation nor a test, however many seeds there are.

    Returns:
        A string, the end of a sentence.
    """
    if (volumes or len(differences)) < 2:
        return (
            f"{differences.mean():+.2f} dB on one test volume, mean over "
            f"{len(differences)} seeds; one volume tells nothing of others."
        )
    p_value = evaluation.sign_flip_test(differences)
    return (
        f"{differences.mean():+.2f} ± {differences.std():.2f} dB over "
        f"{len(differences)} pairs of seed and test volume; p = {p_value:.3f} "
        "(paired sign-flip test)."
    )
