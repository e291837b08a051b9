"""The folder of a run: its settings, its lock, its records."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import time

import filelock
import tqdm

from loupe_tf.atomic import remove_strays, written_aside
from loupe_tf.checks import invalid
from loupe_tf.records import (
    read_json,
    read_record,
    read_records,
    write_record,
    write_records,
)

__all__ = ["RunFolder"]

PACKED = "runs.jsonl"


class RunFolder:
    """A folder that belongs to one run, or to one grid of runs.

    The folder is locked from the first result until this object is deleted or
    its `with` statement ends.

    Args:
        path: Path of the folder, which is made when something is written.
        writes: Boolean. Whether this process writes to the folder. Only one of
            several workers does.
        argument: String, name of the argument or option that gave the path,
            for messages.

    Example:

    ```python
    folder = RunFolder("runs/demo")
    folder.check_settings({"acceleration": 4.0, "seed": 0})
    with folder.stopwatch("learned") as seconds:
        model.fit(images, images, epochs=100)
    folder.write_json("history.json", {"seconds": seconds()})
    ```
    """

    def __init__(self, path, writes=True, argument="out"):
        self.path = pathlib.Path(path)
        self.writes = writes
        self.argument = argument
        self._settings = None
        self._checked = False
        self._lock = None

    def __truediv__(self, name):
        """Return the path of a file in the folder."""
        return self.path / name

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._lock = None

    def check_settings(self, settings, later=()):
        """Claim the folder for a run with these settings.

        The settings are written with the first result. If a run fails before
        it has a result, the folder accepts corrected settings.

        Args:
            settings: Dictionary of values that JSON can store.
            later: Names of settings that a run of an older version may lack.

        Raises:
            ValueError: If the folder holds a run with other settings, or a run
                of a version of this package that had fewer settings, or (once
                something is written) if another process uses the folder.
        """
        self._checked = True
        path = self / "settings.json"
        if not path.exists() or not self._holds_results():
            self._settings = settings
            return
        remedy = "Delete it if the run in its folder is this one"
        saved = read_json(path, remedy)
        lacking = {name for name in later if name not in saved}
        settings = {k: v for k, v in settings.items() if k not in lacking}
        check_same_settings(self.argument, self.path, settings, saved)

    def claim(self):
        """Lock the folder, and write the checked settings.

        Call this before you write to the folder without this class.
        """
        if self._checked and self.writes and self._lock is None:
            self._lock = folder_lock(self.path)
        settings, self._settings = self._settings, None
        if settings is not None:
            self.write_json("settings.json", settings, indent=2)

    def write_json(self, name, value, indent=None):
        """Write a JSON file atomically, because others may be reading it."""
        self.claim()
        if self.writes:
            with written_aside(self / name) as partial:
                partial.write_text(json.dumps(value, indent=indent) + "\n")

    def write_record(self, name, record):
        """Write a record, a dictionary, with its checksum."""
        self.claim()
        if self.writes:
            write_record(self / name, record)

    def complete(self, todo, do):
        """Do all runs that have no record yet, with a progress bar.

        A record is a file in `runs/`, or a line of `runs.jsonl`; see `pack`.

        Each record is written as soon as its run is done. A grid of runs can
        therefore be stopped at any time and finished in parts, in any order,
        also on other machines with copies of the folder. A run may keep its
        state in `unfinished/NAME`, which is removed once its record is written.

        Args:
            todo: Iterable of runs, each with its own `name`.
            do: Callable that takes a run and returns its record, a dictionary
                that JSON can store.

        Returns:
            List of all records in the folder, sorted by name, including those
            of runs that are not in `todo`.
        """
        self.claim()
        packed = self._packed()
        bar = tqdm.tqdm(list(todo), unit="run")
        for run in bar:
            bar.set_description(run.name)
            name = f"runs/{run.name}.json"
            if run.name not in packed and not (self / name).exists():
                self.write_record(name, do(run))
            if self.writes:
                unfinished = self / "unfinished" / run.name
                shutil.rmtree(unfinished, ignore_errors=True)
        return self.records()

    def records(self):
        """Return all records in the folder, sorted by name."""
        return [record for _, record in sorted(self.records_by_name().items())]

    def records_by_name(self):
        """Return a dictionary of all records in the folder, by name."""
        remedy = "Delete it to do that run again"
        return self._packed() | {
            path.stem: read_record(path, {}, remedy)
            for path in (self / "runs").glob("*.json")
        }

    def pack(self, shorten=lambda record: record):
        """Move all records into one file, `runs.jsonl`, with one line each.

        Packed runs are not done again. Later runs are files in `runs/` until
        the next call.

        Args:
            shorten: Callable that takes a record and returns the part to keep.
        """
        self.claim()
        every = self.records_by_name()
        write_records(
            self / PACKED,
            [{"run": name, **shorten(every[name])} for name in sorted(every)],
        )
        shutil.rmtree(self / "runs", ignore_errors=True)

    def _packed(self):
        path = self / PACKED
        if not path.exists():
            return {}
        remedy = "Restore it from a copy, or delete it to do its runs again"
        records = read_records(path, remedy)
        return {record.pop("run"): record for record in records}

    @contextlib.contextmanager
    def stopwatch(self, name):
        """Measure the seconds spent inside, including those before a restart.

        Yields:
            Callable that returns the seconds after the end of the context.
        """
        self.claim()
        path = self.path / f"seconds_{name}.json"
        before = 0.0
        if path.exists():
            remedy = "Delete it: only the measured time is lost"
            before = read_json(path, remedy, (int, float))
        begin = time.time()
        spent = []
        try:
            yield lambda: spent[0]
        finally:
            spent.append(before + time.time() - begin)
            self.write_json(path.name, spent[0])

    def _holds_results(self):
        """Return whether the folder holds more than settings and seconds."""
        return any(
            path.is_file()
            and not path.name.startswith("seconds_")
            and path != self / "settings.json"
            # Locks, and half-written files of killed processes.
            and not any(
                part.startswith(".")
                for part in path.relative_to(self.path).parts
            )
            for path in self.path.rglob("*")
        )


def check_same_settings(argument, path, settings, saved):
    """Refuse a folder that holds a run with other settings.

    Args:
        argument: String, name of the argument or option that gave the path.
        path: Path of the run.
        settings: Dictionary of values that JSON can store.
        saved: Dictionary of the settings saved in the folder.

    Raises:
        ValueError: If settings differ. The message names them and says what to
            do.
    """
    settings = json.loads(json.dumps(settings))  # In the form of `saved`.
    differing = [k for k in settings if saved.get(k) != settings[k]]
    if not differing:
        return
    advice = "Choose another folder, or repeat the settings of that run"
    if unknown := [key for key in differing if key not in saved]:
        advice = (
            f"It is of another version, which did not record {unknown}: finish "
            "it with that version, or choose another folder"
        )
    raise invalid(
        argument,
        f"{path} to hold a run with {as_arguments(settings, differing)}",
        found=f"one with {as_arguments(saved, differing)}. {advice}",
    )


def as_arguments(settings, names):
    """Write some settings as arguments, which commands write as options.

    Files are kept by their hashes, of which eight digits tell them apart.
    """

    def shown(value):
        if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
            return f"<file with the SHA-256 {value[:8]}…>"
        return repr(value)

    return ", ".join(f"{name}={shown(settings.get(name))}" for name in names)


def folder_lock(folder):
    """Lock a folder for this process, and remove leftovers of killed ones.

    The kernel releases the lock when the process ends, for whatever reason. One
    process may take it several times. There is no lock if the folder is not
    writable or its file system has no locks, and network file systems may lock
    only within one machine.

    Args:
        folder: Path of the folder, which is made if missing.

    Returns:
        An object that holds the lock until it is deleted or `release()` is
        called. It is also a context manager.

    Raises:
        ValueError: If another process has the lock.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(
        os.path.realpath(folder / ".lock"),
        timeout=0,
        thread_local=False,
        is_singleton=True,
    )
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ValueError(
            "Invalid folder of a run. Expected one that no other process "
            f"writes to. Received: {folder}, in which another one is running. "
            "Wait until it has ended, stop it, or choose another folder"
        ) from error
    except (OSError, NotImplementedError):
        return contextlib.nullcontext()
    remove_strays(folder)
    return lock
