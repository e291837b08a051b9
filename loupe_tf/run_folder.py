"""The folder of a run: its settings, its lock, its files written whole."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import time

import filelock
import google_crc32c
import tqdm

from loupe_tf.atomic import written_aside
from loupe_tf.reading import BadFileError, check_file, naming, read_text


class RunFolder:
    """The folder that `--out` of a script names. It belongs to one run.

    Args:
        path: Path; the folder is made when something is written to it.
        writes: Boolean. Whether this process writes there; of several workers
            one does.

    Example:

    ```python
    folder = RunFolder("runs/demo")
    folder.check_settings({"acceleration": 4.0, "seed": 0})
    with folder.stopwatch("learned") as seconds:
        model.fit(...)
    folder.write_json("history.json", {"seconds": seconds()})
    ```
    """

    def __init__(self, path, writes=True):
        self.path = pathlib.Path(path)
        self.writes = writes
        self._settings = None
        self._checked = False
        self._lock = None

    def __truediv__(self, name):
        """Path of a file in the folder."""
        return self.path / name

    def check_settings(self, settings):
        """Claim the folder for a run of these settings.

        They are written with the first result: after a call that failed before
        it had any, the folder takes the corrected one.

        Args:
            settings: Dict of values that JSON can store.

        Raises:
            ValueError: If the folder holds a run of others, or another process
                is at work there (once something is written).
        """
        self._checked = True
        path = self / "settings.json"
        if path.exists() and self._holds_results():
            saved = read_json(
                path, "Delete it if this command is that of the folder's run"
            )
            differing = [k for k in settings if saved.get(k) != settings[k]]
            if differing:
                raise ValueError(
                    f"Invalid value for argument --out. Expected {self.path} "
                    f"to hold a run with "
                    f"{ {k: settings[k] for k in differing} }. Received: "
                    f"one with { {k: saved.get(k) for k in differing} }"
                )
        else:
            self._settings = settings

    def claim(self):
        """Write the settings that were checked, if they are not there.

        To be called before something is written by other means than this
        class.
        """
        if self._checked and self.writes and self._lock is None:
            self._lock = folder_lock(self.path)
        settings, self._settings = self._settings, None
        if settings is not None:
            self.write_json("settings.json", settings, indent=2)

    def _holds_results(self):
        """Whether there is more than settings, and seconds spent in vain."""
        return any(
            path.is_file()
            and not path.name.startswith((".", "seconds_"))
            and path != self / "settings.json"
            for path in self.path.rglob("*")
        )

    def write_json(self, name, value, indent=None):
        """Write a file of the folder, all or nothing: others may read it."""
        self.claim()
        if self.writes:
            with written_aside(self / name) as partial:
                partial.write_text(json.dumps(value, indent=indent) + "\n")

    def complete(self, todo, do):
        """Do what has left no record in `runs/` yet, with a progress bar.

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
        records = RunFolder(self / "runs", self.writes)
        bar = tqdm.tqdm(list(todo), unit="run")
        for run in bar:
            bar.set_description(run.name)
            if not (records / f"{run.name}.json").exists():
                records.write_json(f"{run.name}.json", do(run))
            if self.writes:
                unfinished = self / "unfinished" / run.name
                shutil.rmtree(unfinished, ignore_errors=True)
        return self.records()

    def records(self):
        """All records in `runs/`, by name."""
        return [
            read_json(path, "Delete it to do that run again")
            for path in sorted((self / "runs").glob("*.json"))
        ]

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


def folder_lock(folder):
    """Keep a folder to this process.

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
    return lock


@contextlib.contextmanager
def advising(path, expected, remedy):
    """Name the file in whatever goes wrong, and say what to do.

    Args:
        path: Path of the file. If it is not there, that is damage too.
        expected: String, what the file should have been.
        remedy: String, a sentence.

    Raises:
        BadFileError: In place of any exception but `ImportError`.
    """
    try:
        with naming(path, expected, _BadRunFileError):
            yield
    except BadFileError as error:
        raise BadFileError(path, f"{error.reason}. {remedy}") from error


class _BadRunFileError(BadFileError):
    """So that `naming` names errors of the system too."""


def read_json(path, remedy, kind=dict):
    """Read what `json.dump` has written.

    Args:
        path: Path of the file.
        remedy: String, a sentence that says what to do if it is damaged.
        kind: Class, or tuple of classes, of the value.

    Returns:
        The value.

    Raises:
        BadFileError: If the file is damaged. It ends with the remedy.
    """
    with advising(path, "JSON that this package has written", remedy):
        value = json.loads(read_text(path))
        if not isinstance(value, kind):
            raise ValueError(f"it holds a {type(value).__name__}")
        return value


def write_record(path, record):
    """Write a dict that JSON can store, with a checksum, all or nothing."""
    content = json.dumps(record, sort_keys=True)
    crc = google_crc32c.value(content.encode())
    with written_aside(path) as partial:
        partial.write_text(json.dumps({**record, "crc32c": crc}) + "\n")


def read_record(path, keys, remedy):
    """Read what `write_record` has written.

    Args:
        path: Path of the file.
        keys: Dict, the class (or classes) of each value that is needed.
        remedy: String, a sentence that says what to do if it is damaged.

    Returns:
        The dict.

    Raises:
        BadFileError: If the file is damaged. It ends with the remedy.
    """
    record = read_json(path, remedy)
    with advising(path, "a record that this package has written", remedy):
        # Version 0.1.0 wrote none.
        crc = record.pop("crc32c", None)
        content = json.dumps(record, sort_keys=True)
        if crc not in (None, google_crc32c.value(content.encode())):
            raise ValueError("its checksum differs")
        for key, kind in keys.items():
            if not isinstance(record[key], kind):
                raise ValueError(f"{key} is {record[key]!r}")
        return record


def save_weights(model, path):
    """Save the weights of a model, all or nothing.

    HDF5 may end the process if the disk is full, so it writes to memory.

    Args:
        model: A built `keras.Model`.
        path: Path that ends in `.weights.h5`.
    """
    buffer = _Buffer(path)
    model.save_weights(buffer)
    with written_aside(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def checksum(path):
    """CRC32C of a file, an integer."""
    check_file(path)
    return google_crc32c.value(pathlib.Path(path).read_bytes())


def check(path, crc, remedy):
    """Compare the checksum of a file.

    Args:
        path: Path of the file.
        crc: What `checksum` returned once, or `None` if that is not known.
        remedy: String, a sentence that says what to do if it is damaged.

    Raises:
        BadFileError: If the file is damaged. It ends with the remedy.
    """
    with advising(path, "a file as this package wrote it", remedy):
        if checksum(path) != crc and crc is not None:
            raise ValueError("its checksum differs")


def load_weights(model, path, crc, remedy):
    """Load weights that `save_weights` has written.

    Args:
        model: A built `keras.Model`.
        path, crc, remedy: As those of `check`.

    Raises:
        BadFileError: If the file is damaged, or the weights are those of
            another model. It ends with the remedy.
    """
    check(path, crc, remedy)
    with advising(path, f"the weights of model '{model.name}'", remedy):
        model.load_weights(path)


class _Buffer(io.BytesIO):
    """Memory that Keras takes for a file of this name."""

    def __init__(self, path):
        super().__init__()
        self._path = os.fspath(path)

    def __str__(self):
        return self._path
