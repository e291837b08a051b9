"""Tables: a row for each cell of a grid."""

import numpy as np

from experiments.cells import means
from loupe_tf import report


def table(cells, columns):
    """Make a table with a row per cell.

    Args:
        cells: Dict of lists of records.
        columns: Dict by heading of callables `(cell, records)` that return a
            text.

    Returns:
        A tuple `(header, rows)` of lists of texts, for `publish`.
    """
    return list(columns), [
        [str(text(cell, records)) for text in columns.values()]
        for cell, records in cells.items()
    ]


def spread(value, digits=2):
    """Make a column with mean and standard deviation over the seeds.

    Args:
        value: String, a key of the records, or a callable that takes a record
            and returns a float; `None` and values that are not finite are
            skipped.
        digits: Integer, the number of decimals.
    """
    value_of = value if callable(value) else lambda record: record.get(value)
    return lambda cell, records: report.spread(map(value_of, records), digits)


def metric(volumes, name="psnr", digits=2):
    """Make a column with a metric: mean over volumes, then as in `spread`.

    Args:
        volumes: See `experiments.cells`.
        name: String, the metric.
        digits: Integer, the number of decimals.
    """
    return lambda cell, records: report.spread(
        means(records, volumes, name), digits
    )


PATIENTS = "PSNR in dB of each patient, mean over its volumes and seeds."


def table_by_patient(cells, volumes):
    """Make a table with a row per cell and a column per patient.

    Args:
        cells: Dict of lists of records by cell, a tuple.
        volumes: See `experiments.cells`.

    Returns:
        A dict by caption of a tuple `(header, rows)`, for `publish`; empty
        where fewer than two patients are known.
    """
    scores = {cell: _by_patient(x, volumes) for cell, x in cells.items()}
    patients = sorted({name for found in scores.values() for name in found})
    if len(patients) < 2:
        return {}
    rows = [
        [
            ", ".join(
                f"{x:g}" if isinstance(x, float) else str(x)
                for x in cell
                if x not in (None, "")
            ),
            *(
                f"{np.mean(found[p]):.2f}" if p in found else ""
                for p in patients
            ),
        ]
        for cell, found in scores.items()
    ]
    return {PATIENTS: (["run", *patients], rows)}


def count(cell, records):
    """Column with the number of seeds."""
    return len(records)


def count_diverged(cell, records):
    """Column with the number of seeds whose training has diverged."""
    return sum(record["diverged"] for record in records)


TRAINING_COLUMNS = {
    "epochs": spread("epochs", 0),
    "seconds": spread("seconds", 0),
    "seeds": count,
    "diverged": count_diverged,
}
"""The last columns of a table: duration and number of trainings."""


def _by_patient(records, volumes):
    """The PSNRs of each patient's volumes, by the name of the patient."""
    found = {}
    for record in records:
        patients = record.get("patients") or {}
        for volume, values in (volumes(record) or {}).items():
            if volume in patients:
                found.setdefault(patients[volume], []).append(values["psnr"])
    return found
