"""What is done when Keras and TensorFlow are imported, by whom it may be.

`import loupe_tf` imports neither, so that commands answer at once. When Keras
comes, it is told of our layers, as `keras.models.load_model` needs. When
TensorFlow comes, its start-up log is left out.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile

# What holds layers, losses and metrics of ours.
REGISTERED = ("layers", "losses", "metrics", "models")

# A line of TensorFlow's log, old or new, whose letter is its level.
RECORD = re.compile(
    rb"([IWEF])\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d [\d:.]+: ([IWEF]) "
)
BEFORE_RECORDS = b"WARNING: All log messages before absl::InitializeLog()"


class Around(importlib.abc.MetaPathFinder):
    """Finds packages as they are found, and does something at their import.

    Args:
        contexts: Dictionary, by the name of a package, of callables that
            return the context manager in which it is imported.
    """

    def __init__(self, contexts):
        self._contexts = dict(contexts)

    def find_spec(self, name, path=None, target=None):
        context = self._contexts.pop(name, None)
        if context is None:
            return None
        try:
            spec = importlib.util.find_spec(name)  # By the other finders.
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
    """Let Keras know our layers when it is there."""
    yield
    register()


def register(at_end_of=None):
    """Import all that a saved model may be made of.

    Args:
        at_end_of: (Optional) name of the subpackage that calls this as its last
            act. Where Keras comes with a subpackage that is not complete yet,
            it is too early before.
    """
    for name in ("layers", "samplers", "models"):
        module = sys.modules.get(f"loupe_tf.{name}")
        spec = getattr(module, "__spec__", None)
        if name != at_end_of and getattr(spec, "_initializing", False):
            return
    for name in REGISTERED:
        importlib.import_module(f"loupe_tf.{name}")


@contextlib.contextmanager
def without_start_up_log():
    """Leave out of stderr what TensorFlow logs while it is imported.

    It does so before it looks at TF_CPP_MIN_LOG_LEVEL, by which one says what
    is to be seen: 0 is all, 1 leaves out information, 2 warnings too, 3, our
    default, errors too, which come as exceptions of Python. Everything else
    that was written is written when the import has ended.
    """
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "")
    level = int(level) if level.isdecimal() else 0
    stderr = None
    if level > 0:
        with contextlib.suppress(OSError):  # There may be none.
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
    """Whether a line of bytes is of that level or above, or no log at all."""
    record = RECORD.match(line)
    if record is None:
        return not line.startswith(BEFORE_RECORDS)
    return b"IWEF".index(record[1] or record[2]) >= level


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.meta_path.insert(
    0, Around({"keras": then_register, "tensorflow": without_start_up_log})
)
