"""What each reproduction does from the command line to the report."""

import functools

from experiments.conducting import conduct, in_folds
from experiments.publishing import publish
from loupe_tf.command_line import exit_code


def main(settings, grid, build, train, results, **conducting):
    """Train what has not been trained yet, and publish all that there is.

    Args:
        settings: Dict, as `experiments.options.parse` returns it.
        grid: Callable that takes the settings and returns all runs.
        build, train: See `experiments.conduct`.
        results: Callable `(records, folder)` that returns the arguments of
            `experiments.publish` by name, but `folder`, `facts` and `runs`.
        **conducting: Further arguments of `experiments.conduct`.

    Returns:
        What the script ends with, see `loupe_tf.command_line.exit_code`.
    """

    def reproduce(settings):
        todo = in_folds(grid(settings), settings.get("folds"))
        folder, facts, records = conduct(
            settings, todo, build, train, **conducting
        )
        found = results(records, folder)
        if settings.get("folds"):
            found["convention"] += " Each fold is as a seed of its own."
        publish(folder, facts=facts, runs=records, **found)
        if settings.get("pack"):
            folder.pack(functools.partial(_shorten, first=_first_seed(records)))

    return exit_code(reproduce, settings)


def _first_seed(records):
    return min((record["seed"] for record in records), default=None)


def _shorten(record, first):
    """Without the trace, which figures show of the first seed alone."""
    if record["seed"] == first:
        return record
    return {key: value for key, value in record.items() if key != "trace"}
