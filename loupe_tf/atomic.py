"""Files, and folders of them, that appear at once and whole."""

import contextlib
import errno
import os
import pathlib
import shutil
import tempfile

# What the system says of a full disk, a quota, and a limit on files.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def written_aside(path):
    """Give a path to write to, and move the file when it is complete.

    Args:
        path: Path of the file, or of a folder of files; the folder that it is
            in is made if missing.

    Yields:
        Path of a file of the same name, in a hidden folder beside it. After an
        error that file is gone, and what was at `path` is left as it was.

    Raises:
        OSError: That names the file and says how much room there is, if there
            is too little.
    """
    path = pathlib.Path(path)
    with naming_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A folder, so that whoever lists `*.json` finds no half-written ones,
        # also those that a killed process leaves.
        with tempfile.TemporaryDirectory(
            dir=path.parent, prefix=f".{path.name}."
        ) as folder:
            partial = pathlib.Path(folder, path.name)
            yield partial
            if partial.is_dir() and path.is_dir():
                # The system replaces a file at once, but no folder.
                os.replace(path, partial.with_name(f"{path.name}.before"))
            os.replace(partial, path)


@contextlib.contextmanager
def naming_disk(path):
    """Name the file, and say what room there is, when a disk is full.

    Args:
        path: Path of the file that is written inside.
    """
    try:
        yield
    except OSError as error:
        # NumPy knows no number.
        number = error.errno or ("requested and" in str(error)) * errno.ENOSPC
        if number not in FULL:
            raise
        folder = pathlib.Path(path).absolute()
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free / 1e6
        raise OSError(
            number,
            f"{os.strerror(number)}: {free:.1f} MB free. What was there "
            "before is left as it was",
            os.fspath(path),
        ) from error
