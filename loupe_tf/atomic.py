"""Files, and folders of them, that appear at once and whole."""

import contextlib
import os
import pathlib
import tempfile


@contextlib.contextmanager
def written_aside(path):
    """Give a path to write to, and move the file when it is complete.

    Args:
        path: Path of the file, or of a folder of files; the folder that it is
            in is made if missing.

    Yields:
        Path of a file of the same name, in a hidden folder beside it. After an
        error that file is gone, and what was at `path` is left as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder, so that whoever lists `*.json` finds no half-written ones, also
    # those that a killed process leaves.
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}."
    ) as folder:
        partial = pathlib.Path(folder, path.name)
        yield partial
        if partial.is_dir() and path.is_dir():
            # The system replaces a file at once, but no folder.
            os.replace(path, partial.with_name(f"{path.name}.before"))
        os.replace(partial, path)
