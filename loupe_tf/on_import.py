"""Actions when Keras and TensorFlow are imported, no matter by whom.

`import loupe_tf` imports neither, so commands start quickly. When Keras is
imported, our layers are registered with it, as `keras.models.load_model`
requires. When TensorFlow is imported, its start-up log is hidden.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile

# Modules with layers, losses, metrics, models and constraints to register.
REGISTERED = (
    "fixed_point",
    "layers",
    "losses",
    "metrics",
    "models",
    "regimes",
    "trajectories.feasible",
    "trajectories.limit_penalty",
)
# Modules that import Keras before they have what they register.
FIRST = (
    "fixed_point",
    "operators",
    "trajectories.feasible",
    "trajectories.limit_penalty",
    "layers",
    "samplers",
    "models",
    "regimes",
)

# A line of TensorFlow's log, in the old or new format; the letter is its level.
RECORD = re.compile(
    rb"([IWEF])\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d [\d:.]+: ([IWEF]) "
)
BEFORE_RECORDS = b"WARNING: All log messages before absl::InitializeLog()"


class Around(importlib.abc.MetaPathFinder):
    """A finder that imports given packages inside a context manager.

    Args:
        contexts: Dictionary from the name of a package to a callable that
            returns the context manager for its import.
    """

    def __init__(self, contexts):
        self._contexts = dict(contexts)

    def find_spec(self, name, path=None, target=None):
        context = self._contexts.pop(name, None)
        if context is None:
            return None
        try:
            spec = importlib.util.find_spec(name)  # Uses the other finders.
        finally:
            self._contexts[name] = context
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            with context():
                execute(module)

        spec.loader.exec_module = exec_module
        return spec


@contextlib.contextmanager
def then_register():
    """Register our classes once Keras is imported."""
    yield
    register()


def register(at_end_of=None):
    """Import all classes that a saved model may contain.

    If a subpackage of ours is still being imported, and imported Keras itself,
    this is too early. The subpackage then calls this function again at its end.

    Args:
        at_end_of: (Optional) name of the subpackage that calls this function at
            its end.
    """
    for name in FIRST:
        module = sys.modules.get(f"loupe_tf.{name}")
        spec = getattr(module, "__spec__", None)
        if name != at_end_of and getattr(spec, "_initializing", False):
            return
    for name in REGISTERED:
        importlib.import_module(f"loupe_tf.{name}")


@contextlib.contextmanager
def without_start_up_log():
    """Remove from stderr the log that TensorFlow writes during its import.

    TensorFlow writes it before it reads TF_CPP_MIN_LOG_LEVEL, which sets the
    level to show: 0 shows everything, 1 hides information, 2 also warnings, and
    3, our default, also errors, which are raised as Python exceptions anyway.
    All other output is written when the import has ended.
    """
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "")
    level = int(level) if level.isdecimal() else 0
    stderr = None
    if level > 0:
        with contextlib.suppress(OSError):  # There may be no stderr.
            stderr = os.dup(2)
    if stderr is None:
        yield
        return
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(stderr, 2)
            log.seek(0)
            with open(stderr, "wb") as file:
                file.writelines(line for line in log if is_shown(line, level))


def is_shown(line, level):
    """Return whether a line has at least this level, or is not a log line."""
    record = RECORD.match(line)
    if record is None:
        return not line.startswith(BEFORE_RECORDS)
    return b"IWEF".index(record[1] or record[2]) >= level


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.meta_path.insert(
    0, Around({"keras": then_register, "tensorflow": without_start_up_log})
)
