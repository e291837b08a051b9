"""Values for tables and sentences about the cells of a grid.

A cell is a list of records that differ in the fold and the seed. `volumes`
below is a callable that takes a record and returns the metrics of each test
volume (`loupe_tf.evaluation.per_volume`), or `None` if the run has diverged.
"""

from loupe_tf.evaluation import (
    differences_by_volume,
    effect,
    in_words,
    mean_and_deviation,
)


def rates_of(cells):
    """The accelerations of cells, in order; each cell starts with its own."""
    return list(dict.fromkeys(rate for rate, *_ in cells))


def means(records, volumes, metric="psnr"):
    """Return the mean over volumes for each seed, without diverged runs.

    Args:
        records: List of records.
        volumes: See the head of this file.
        metric: String.

    Returns:
        A list of floats.
    """
    judged = [found for found in map(volumes, records) if found]
    return [mean_and_deviation(found, metric)[0] for found in judged]


def partner(record):
    """The values that two records must share to be compared as a pair."""
    return record.get("fold"), record["seed"]


def effect_of(records, others, volumes):
    """Return the gain of the first cell over the second, across patients.

    Args:
        records, others: Lists of records.
        volumes: See the head of this file.

    Returns:
        A `loupe_tf.evaluation.Effect`, or `None` if there are no pairs or
        fewer than two known patients.
    """
    patients = {}
    for record in records:
        patients |= record.get("patients") or {}
    found = differences_by_volume(records, others, volumes, partner)
    if len({patients.get(volume) for volume in found} - {None}) < 2:
        return None
    return effect(found, patients)


def compare(subject, records, others, volumes):
    """Describe the differences in PSNR for the same seed and volume.

    Args:
        subject: String, the start of the sentence.
        records, others: Lists of records; the differences are first minus
            second.
        volumes: See the head of this file.

    Returns:
        A list with one sentence, empty if there are no pairs.
    """
    found = effect_of(records, others, volumes)
    if found is not None:
        return [
            f"{subject} {found} dB (95 % interval over {found.patients} "
            f"patients, {found.pairs} pairs of seed and volume; detectable: "
            f"{found.detectable:.2f} dB): {found.verdict}."
        ]
    found = differences_by_volume(records, others, volumes, partner)
    return [f"{subject} {in_words(found)}"] if found else []
