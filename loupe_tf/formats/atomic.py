"""Files that appear at once and whole."""

import contextlib
import os
import pathlib
import uuid


@contextlib.contextmanager
def written_aside(path):
    """Give a path to write to, and rename the file when it is complete.

    Args:
        path: Path of the file; its folder is made if missing.

    Yields:
        Path beside it, with the same suffix. After an error that file is
        removed, and what was at `path` is left as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f"{path.stem}.{uuid.uuid4().hex}.partial{path.suffix}"
    partial = path.with_name(name)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
