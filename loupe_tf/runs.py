"""What scripts share: a folder for each run, exit codes, provenance."""

import argparse
import contextlib
import importlib
import json
import os
import pathlib
import platform
import re
import shutil
import sys
import time

import numpy as np
import tqdm

from loupe_tf.atomic import written_aside
from loupe_tf.run_files import folder_lock, read_json
from loupe_tf.version import __version__

# Keras is imported by the functions that need it: `--help` does not wait.

__all__ = [
    "RunFolder",
    "add_data_options",
    "argument_parser",
    "environment",
    "exit_code",
    "provenance",
]


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


class Parser(argparse.ArgumentParser):
    """A parser whose options `exit_code` knows, and names in messages."""

    def parse_args(self, args=None, namespace=None):
        _options.clear()
        return super().parse_args(args, namespace)

    def parse_known_args(self, args=None, namespace=None):
        found = super().parse_known_args(args, namespace)
        _options.extend(self._actions)  # Commands have a parser of their own.
        return found


# The options of the command that runs in this process, one process for each.
_options = []


def in_flags(text):
    """A message of the library, as whoever typed the command knows things.

    Args:
        text: String, which names arguments: "argument `leading`", or
            "leading='slices'".

    Returns:
        A string that names options instead: "argument --leading", or
        "--leading slices".
    """
    flags = {}
    for option in _options:
        if option.option_strings:
            value = str(option.const) if option.nargs == 0 else None
            flags[option.dest, value] = option.option_strings[-1]
            flags.setdefault((option.dest, None), option.option_strings[-1])

    def named(match):
        name, value = match[1] or match[2], match[3]
        flag = flags.get((name, value))
        if flag:
            return flag
        flag = flags.get((name, None)) or flags.get((f"{name}s", None))
        if flag is None:
            return match[0]
        if value is None:
            return flag
        if value == "None":
            return f"no {flag}"
        return f"{flag} {re.sub('[][(),]', '', value)}".replace("'", "")

    value = r"'[^']*'|-?\w+(?:[.-]\w+)*|\([^()]*\)|\[[^][]*\]"
    text = re.sub(rf"`(\w+)`|\b(\w+)=({value})", named, text)
    return re.sub(r"(--[\w-]+) \(\1\)", r"\1", text)  # It was named already.


def argument_parser(doc):
    """Parser whose help is the docstring of the script.

    Args:
        doc: String. The first paragraph becomes the description, the others,
            as they stand, the epilog.
    """
    description, _, epilog = doc.partition("\n\n")
    return Parser(
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_data_options(parser, default=None):
    """Add `--data` and `--data-dir`, for `loupe_tf.datasets.load_splits`.

    Args:
        parser: `argparse.ArgumentParser`.
        default: (Optional) string, of `--data`.
    """
    parser.add_argument(
        "--data",
        default=default,
        help="name of a prepared TFDS data set with the features `image` and "
        "`volume`, such as fastmri_slices/knee_singlecoil (mni_brain is "
        "simulated if it is not there), or a .npy or .npz file or a folder of "
        "them, each array a volume (slices, H, W)"
        + (" (%(default)s)" if default else ""),
    )
    parser.add_argument(
        "--data-dir", help="where TFDS keeps its data (default: its own)"
    )


def environment(*packages):
    """Versions and hardware, as texts by name: facts for a report.

    Args:
        *packages: Strings, further packages, as they are imported.
    """
    import keras

    versions = [(p, importlib.import_module(p).__version__) for p in packages]
    others = [f", {name} {version}" for name, version in versions]
    accelerators = _count_accelerators()
    return {
        "versions": f"loupe_tf {__version__}, Keras {keras.version()} on "
        f"{keras.backend.backend()}, NumPy {np.__version__}, Python "
        f"{platform.python_version()}{''.join(others)}",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores"
        + (f", {accelerators} accelerators" if accelerators else ""),
    }


def _count_accelerators():
    """Accelerators that the backend sees."""
    import keras

    # keras.distribution.list_devices knows TensorFlow and JAX, and raises
    # where JAX has CPUs alone.
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices()
        return sum(device.device_type != "CPU" for device in devices)
    if keras.backend.backend() == "jax":
        import jax

        return sum(device.platform != "cpu" for device in jax.devices())
    # The backend has imported it; the package does not require it.
    return sys.modules["torch"].cuda.device_count()


def provenance(settings, source, splits):
    """How a result was obtained, as texts by name: facts for a report.

    Args:
        settings: Dict of the settings of the script.
        source, splits: What `loupe_tf.datasets.load_splits` returns.

    Returns:
        A dict with the data, its volumes, the size of the images, the settings,
        what `environment` returns, and the command.
    """
    volumes = ", ".join(f"{name} {part}" for name, part in splits.items())
    height, width = splits["test"].images.shape[1:3]
    return {
        "data": source,
        "volumes": volumes,
        "image size": f"{height}×{width}{_voxel_text(splits)}",
        "settings": ", ".join(f"{k}={v}" for k, v in settings.items()),
        **environment(),
        "command": "python " + " ".join(sys.argv),
    }


def _voxel_text(splits):
    """Size of the voxels of all splits, to follow that of the matrix."""
    sizes = [getattr(part, "voxel_sizes", None) for part in splits.values()]
    if any(each is None for each in sizes):
        return ""
    from loupe_tf.datasets.voxel_size import common_voxel_size

    between, *pixel = common_voxel_size(np.concatenate(sizes))
    if None in pixel:
        return ", voxel sizes mixed or unknown"
    text = ", voxels of {:.3g}×{:.3g} mm".format(*pixel)
    return text + (f", slices {between:.3g} mm apart" if between else "")


def exit_code(
    function,
    *arguments,
    errors=(ValueError, ImportError, OSError),
    interrupted="Stopped. The same command goes on from here.",
):
    """Run what a script does, and tell what the script ends with.

    Args:
        function: Callable, with its `arguments`.
        errors: Exceptions that whoever typed the command can mend: their
            message is printed instead of a traceback, with options in place of
            arguments.
        interrupted: String, printed after Ctrl-C.

    Returns:
        0, 2 after one of the errors, 1 if another worker was lost
        (`loupe_tf.distribution.ReplicaError`) or the reader of the output has
        left, 130 after Ctrl-C.
    """
    try:
        function(*arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read along has had enough, as `head` does. Python would say
        # so once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except errors as error:
        print(f"error: {in_flags(str(error))}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        # Where that module was not imported, no worker was lost.
        replicas = sys.modules.get("loupe_tf.distribution.replicas")
        if replicas is None or not isinstance(error, replicas.ReplicaError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return 130
    return 0
