"""The steps of a reproduction, from the command line to the report."""

import functools

from experiments.conducting import conduct, in_folds
from loupe_tf.checks import invalid
from loupe_tf.command_line import exit_code
from loupe_tf.publishing import publish
from loupe_tf.records import read_json
from loupe_tf.run_folder import RunFolder


def main(settings, grid, build, train, results, **conducting):
    """Train all runs that have not been trained yet, and publish the results.

    Args:
        settings: Dict, the result of `experiments.options.parse`.
        grid: Callable that takes the settings and returns all runs.
        build, train: See `experiments.conduct`.
        results: Callable `(records, folder)` that returns the arguments of
            `experiments.publish` by name, except `folder`, `facts` and `runs`.
        **conducting: Further arguments of `experiments.conduct`.

    Returns:
        The exit code of the script, see `loupe_tf.command_line.exit_code`.
    """

    def reproduce(settings):
        if settings.get("report"):
            folder, facts, records = _held(settings["out"])
        else:
            todo = in_folds(
                grid(settings),
                settings.get("folds"),
                settings.get("only_folds"),
            )
            folder, facts, records = conduct(
                settings, todo, build, train, **conducting
            )
        found = results(records, folder)
        if any(record.get("fold") is not None for record in records):
            found["convention"] += " Each fold is as a seed of its own."
        publish(folder, facts=facts, runs=records, **found)
        if settings.get("pack"):
            folder.pack(functools.partial(_shorten, first=_first_seed(records)))

    return exit_code(reproduce, settings)


def _held(out):
    """Return the same values as `conduct`, from a folder and without data."""
    folder = RunFolder(out)
    records = folder.records()
    if not records:
        raise invalid("out", "a folder with records of runs", out)
    path = folder / "settings.json"
    facts = {"records": f"{len(records)} in {folder.path.name}"}
    if path.exists():
        facts |= read_json(path, "Restore it from a copy, or delete it")
    return folder, {k: str(v) for k, v in facts.items()}, records


def _first_seed(records):
    return min((record["seed"] for record in records), default=None)


def _shorten(record, first):
    """Drop the trace, which figures show only for the first seed."""
    if record["seed"] == first:
        return record
    return {key: value for key, value in record.items() if key != "trace"}
