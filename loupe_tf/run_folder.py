"""The folder of a run: its settings, its lock, its records."""

import contextlib
import json
import os
import pathlib
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

    It is locked from the first result on, until this object is gone or the
    `with` statement that it is in has ended.

    Args:
        path: Path; the folder is made when something is written to it.
        writes: Boolean. Whether this process writes there; of several workers
            one does.
        argument: String, name of the argument or option that the path is from,
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
        """Path of a file in the folder."""
        return self.path / name

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._lock = None

    def check_settings(self, settings):
        """Claim the folder for a run of these settings.

        They are written with the first result: after a call that failed before
        it had any, the folder takes the corrected one.

        Args:
            settings: Dict of values that JSON can store.

        Raises:
            ValueError: If the folder holds a run of others, or one of a version
                of this package that knew fewer of them, or if another process
                is at work there (once something is written).
        """
        self._checked = True
        path = self / "settings.json"
        if not path.exists() or not self._holds_results():
            self._settings = settings
            return
        remedy = "Delete it if the run in its folder is this one"
        saved = read_json(path, remedy)
        check_same_settings(self.argument, self.path, settings, saved)

    def claim(self):
        """Lock the folder, and write the settings that were checked.

        To be called before something is written by other means than this
        class.
        """
        if self._checked and self.writes and self._lock is None:
            self._lock = folder_lock(self.path)
        settings, self._settings = self._settings, None
        if settings is not None:
            self.write_json("settings.json", settings, indent=2)

    def write_json(self, name, value, indent=None):
        """Write a file of the folder, all or nothing: others may read it."""
        self.claim()
        if self.writes:
            with written_aside(self / name) as partial:
                partial.write_text(json.dumps(value, indent=indent) + "\n")

    def write_record(self, name, record):
        """Write a dict that is to be found again, with its checksum."""
        self.claim()
        if self.writes:
            write_record(self / name, record)

    def complete(self, todo, do):
        """Do what has left no record yet, with a progress bar.

        A record is a file in `runs/`, or a line of `runs.jsonl`; see `pack`.

        Each record is written when it is there, so that a grid of runs can be
        stopped at any time, and finished in parts, in any order, also on other
        machines that write to copies of the folder. What a run keeps in
        `unfinished/NAME` to go on from is removed when its record is there.

        Args:
            todo: Iterable of runs; each has a `name` of its own.
            do: Callable that takes a run and returns its record, a dict that
                JSON can store.

        Returns:
            List of all records that the folder holds, by name, those of other
            runs than `todo` included.
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
        """All records that the folder holds, sorted by name."""
        return [record for _, record in sorted(self.records_by_name().items())]

    def records_by_name(self):
        """A dict of all records that the folder holds."""
        remedy = "Delete it to do that run again"
        return self._packed() | {
            path.stem: read_record(path, {}, remedy)
            for path in (self / "runs").glob("*.json")
        }

    def pack(self, shorten=lambda record: record):
        """Move all records into one file, `runs.jsonl`, a line each.

        Nothing is done again because of it, and runs that follow are files in
        `runs/` until the next time.

        Args:
            shorten: Callable that takes a record and returns what is kept.
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
        """Seconds spent inside, those before a restart included."""
        self.claim()
        path = self.path / f"seconds_{name}.json"
        before = 0.0
        if path.exists():
            remedy = "Delete it: no more than the time that was spent is lost"
            before = read_json(path, remedy, (int, float))
        begin = time.time()
        spent = []
        try:
            yield lambda: spent[0]
        finally:
            spent.append(before + time.time() - begin)
            self.write_json(path.name, spent[0])

    def _holds_results(self):
        """Whether there is more than settings, and seconds spent in vain."""
        return any(
            path.is_file()
            and not path.name.startswith("seconds_")
            and path != self / "settings.json"
            # Locks, and what a killed process has half written.
            and not any(
                part.startswith(".")
                for part in path.relative_to(self.path).parts
            )
            for path in self.path.rglob("*")
        )


def check_same_settings(argument, path, settings, saved):
    """Refuse to take a run of other settings for one of these.

    Args:
        argument: String, name of the argument or option that the path is from.
        path: Path of the run.
        settings: Dict of values that JSON can store.
        saved: Dict of those that were read from there.

    Raises:
        ValueError: That names those that differ, and says what to do.
    """
    settings = json.loads(json.dumps(settings))  # As they were read.
    differing = [k for k in settings if saved.get(k) != settings[k]]
    if not differing:
        return
    advice = "Choose another folder, or repeat the settings of that run"
    if unknown := [key for key in differing if key not in saved]:
        advice = (
            f"It is of another version, which did not note {unknown}: finish "
            "it with that one, or choose another folder"
        )
    raise invalid(
        argument,
        f"{path} to hold a run with { {k: settings[k] for k in differing} }",
        found=f"one with { {k: saved.get(k) for k in differing} }. {advice}",
    )


def folder_lock(folder):
    """Keep a folder to this process, and clear what killed ones have left.

    The kernel frees the lock when the process ends, however it ends. Within a
    process it may be taken several times. Who cannot write into the folder, or
    is on a file system without locks, gets none, and file systems of networks
    may lock for one machine alone.

    Args:
        folder: Path; it is made if missing.

    Returns:
        An object that holds the lock until it is deleted or `release()` is
        called; also a context manager.

    Raises:
        ValueError: If another process has it.
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
