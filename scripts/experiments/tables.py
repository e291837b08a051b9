"""Tables: a row for each cell of a grid."""

from experiments.cells import means
from loupe_tf import report


def table(cells, columns):
    """What each column says of each cell.

    Args:
        cells: Dict of lists of records.
        columns: Dict by heading of callables `(cell, records)` that return a
            text.

    Returns:
        A tuple `(header, rows)` of lists of texts, as `publish` takes it.
    """
    return list(columns), [
        [str(text(cell, records)) for text in columns.values()]
        for cell, records in cells.items()
    ]


def spread(value, digits=2):
    """A column with the mean and the deviation of a value over the seeds.

    Args:
        value: String, a key of the records, or a callable that takes a record
            and returns a float; `None` and what is not finite is left out.
        digits: Integer, behind the point.
    """
    value_of = value if callable(value) else lambda record: record.get(value)
    return lambda cell, records: report.spread(map(value_of, records), digits)


def metric(volumes, name="psnr", digits=2):
    """A column with a metric: mean over volumes, then as `spread`.

    Args:
        volumes: See `experiments.cells`.
        name: String, the metric.
        digits: Integer, behind the point.
    """
    return lambda cell, records: report.spread(
        means(records, volumes, name), digits
    )


def count(cell, records):
    """A column with the number of seeds."""
    return len(records)


def count_diverged(cell, records):
    """A column with the number of seeds whose training has diverged."""
    return sum(record["diverged"] for record in records)


TRAINING_COLUMNS = {
    "epochs": spread("epochs", 0),
    "seconds": spread("seconds", 0),
    "seeds": count,
    "diverged": count_diverged,
}
"""How long trainings took, of how many seeds: the last columns of a table."""
