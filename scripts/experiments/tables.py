"""Tables: a row for each cell of a grid."""

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
