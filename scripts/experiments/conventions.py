"""Metrics of each test volume in two conventions: fastMRI's, and by slice.

`volumes_of(convention)` below is a callable that takes a record and returns the
metrics of each volume, or `None` if the run has diverged.
"""

import itertools

import numpy as np

from experiments import claims
from experiments.cells import partner
from experiments.tables import metric
from loupe_tf import report
from loupe_tf.evaluation import (
    differences_by_volume,
    fastmri_metrics,
    per_volume,
    sign_flip_test,
)

CONVENTIONS = ("volume", "slice")
METRICS = {"nmse": 5, "psnr": 2, "ssim": 4}
"""Names of metrics and their numbers of decimals."""

CONVENTION = (
    '"volume" is fastMRI\'s convention: a volume counts as one image, PSNR and '
    "SSIM have its maximum as their peak, SSIM a uniform 7×7 window. "
    '"slice" is the mean over the slices of a volume, PSNR = -10 log10(MSE), '
    "SSIM with a Gaussian window, images divided by their volume's maximum. "
    "Both: mean over the test volumes, then over seeds ± their standard "
    "deviation."
)

_HINT = (
    "Pairs are of the same seed and test volume, p is of the paired sign-flip "
    "test; seeds on one volume are not independent, so take it as a hint."
)


def check_volumes(part):
    """Reject, before training, test volumes without defined metrics."""
    for volume in np.unique(part.volumes):
        images = part.images[part.volumes == volume]
        if not images.max() > 0:
            raise ValueError(
                f"Invalid test volume {volume}. Expected magnitudes that are "
                "not zero everywhere. Received: a maximum of "
                f"{images.max():g}"
            )


def judge(part, output):
    """Compute the metrics of each volume, by convention.

    Args:
        part: `loupe_tf.datasets.Slices`.
        output: Reconstructions of its images, with the same shape.
    """
    return {
        "volume": {
            str(volume): fastmri_metrics(
                part.images[part.volumes == volume],
                output[part.volumes == volume],
            )
            for volume in np.unique(part.volumes)
        },
        "slice": per_volume(part.images, output, part.volumes),
    }


def columns(volumes_of):
    """Return the columns of a table: all metrics in both conventions.

    Args:
        volumes_of: As above, but it also takes the cell:
            `volumes_of(cell, convention)`.
    """

    def column(convention, name):
        return lambda cell, records: metric(
            volumes_of(cell, convention), name, METRICS[name]
        )(cell, records)

    return {
        f"{convention} {name.upper()}": column(convention, name)
        for convention, name in itertools.product(CONVENTIONS, METRICS)
    }


def compare(subject, records, others, volumes_of):
    """Describe the differences for the same seed and volume.

    Args:
        subject: String, the start of the sentence.
        records, others: Lists of records; the differences are first minus
            second.
        volumes_of: See the head of this file.

    Returns:
        A list with one sentence, empty if there are no pairs.
    """
    found = [
        _difference(records, others, volumes_of(convention), convention)
        for convention in CONVENTIONS
    ]
    parts = "; ".join(filter(None, found))
    return [f"{subject} {parts}."] if parts else []


def verdicts(claimed, volumes_of):
    """Return the sentences of `compare`, and a caveat about them.

    Args:
        claimed: Iterable of `experiments.Claim`.
        volumes_of: See the head of this file.

    Returns:
        A list of strings, empty if no claim has a pair of runs.
    """
    sentences = claims.verdicts(claimed, volumes_of, compare)
    return [*sentences, _HINT] if sentences else []


def _difference(records, others, volumes, convention):
    found = {
        name: differences_by_volume(records, others, volumes, partner, name)
        for name in METRICS
    }
    if not found["psnr"]:
        return ""
    several = len(found["psnr"]) > 1
    found = {k: np.concatenate(list(x.values())) for k, x in found.items()}
    psnr, figures = found["psnr"], []
    for name, values in found.items():
        values = values if several else [values.mean()]
        text = report.spread(values, METRICS[name], sign="+")
        unit = " dB" if name == "psnr" else ""
        figures.append(f"{name.upper()} {text}{unit}")
    verdict = "one test volume, which tells nothing of others"
    if several:
        verdict = (
            f"PSNR better in {np.sum(psnr > 0)} of {psnr.size} pairs, "
            f"p = {sign_flip_test(psnr):.3f}"
        )
    return f"{', '.join(figures)} by {convention}s ({verdict})"
