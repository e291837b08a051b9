"""What tables and sentences say of the cells of a grid.

A cell is a list of records that differ in the seed. `volumes` below is a
callable that takes a record and returns the metrics of each test volume
(`loupe_tf.evaluation.per_volume`), or `None` if the run has diverged.
"""

from loupe_tf.evaluation import (
    in_words,
    mean_and_deviation,
    paired,
)


def rates_of(cells):
    """The accelerations of cells, which begin with it, in their order."""
    return list(dict.fromkeys(rate for rate, *_ in cells))


def means(records, volumes, metric="psnr"):
    """Mean over the volumes for each seed; those that diverged are left out.

    Args:
        records: List of records.
        volumes: See the head of this file.
        metric: String.

    Returns:
        A list of floats.
    """
    judged = [found for found in map(volumes, records) if found]
    return [mean_and_deviation(found, metric)[0] for found in judged]


def compare(subject, records, others, volumes):
    """A sentence on the differences in PSNR of the same seed and volume.

    Args:
        subject: String, what the sentence begins with.
        records, others: Lists of records; differences are of the first from
            the second.
        volumes: See the head of this file.

    Returns:
        A list of one string, or of none where no pair is to be had.
    """
    differences = paired(records, others, volumes)
    return [f"{subject} {in_words(differences)}"] if differences.size else []
