"""Write files and folders atomically: whole or not at all."""

import contextlib
import errno
import io
import os
import pathlib
import re
import shutil
import tempfile

# The system's errors for a full disk, a quota and a limit on file sizes.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# The end of the names of temporary folders, which no others have.
ASIDE = ".aside"


@contextlib.contextmanager
def written_aside(path):
    """Yield a path to write to, and move the result when it is complete.

    Args:
        path: Path of the file, or of a folder of files. The parent folder is
            made if missing.

    Yields:
        Path with the same name in a hidden folder beside it. After an error,
        the partial result is removed and `path` is unchanged.

    Raises:
        OSError: If the disk is full. The message names the file and the free
            space.
    """
    path = pathlib.Path(path)
    with naming_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # In a folder, so that a listing of `*.json` does not find half-written
        # files, even if a killed process leaves them behind.
        with tempfile.TemporaryDirectory(
            dir=path.parent, prefix=f".{path.name}.", suffix=ASIDE
        ) as folder:
            partial = pathlib.Path(folder, path.name)
            yield partial
            if partial.is_dir() and path.is_dir():
                # The system can replace a file atomically, but not a folder.
                os.replace(path, partial.with_name(f"{path.name}.before"))
            os.replace(partial, path)


def remove_strays(folder):
    """Delete leftovers of processes that were killed inside `written_aside`.

    Args:
        folder: Path of the folder that they wrote to. No process may be
            writing to it now.
    """
    # `tempfile` chooses eight characters.
    pattern = re.compile(r"\.(.+)\.[a-z0-9_]{8}" + re.escape(ASIDE))
    for stray in pathlib.Path(folder).glob(f".*{ASIDE}"):
        found = pattern.fullmatch(stray.name)
        if not found or not stray.is_dir():
            continue
        own = {found[1], f"{found[1]}.before"}
        if not {each.name for each in stray.iterdir()} - own:
            shutil.rmtree(stray, ignore_errors=True)


@contextlib.contextmanager
def naming_disk(path):
    """Name the file and the free space in the error of a full disk.

    Args:
        path: Path of the file that is written in this context.
    """
    try:
        yield
    except Exception as error:
        number = _full(error)
        if number is None:
            raise
        folder = pathlib.Path(path).absolute()
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free / 1e6
        raise OSError(
            number,
            f"{os.strerror(number)}: {free:.1f} MB free. The previous content "
            "is unchanged",
            os.fspath(path),
        ) from error


@contextlib.contextmanager
def hdf5_written(path):
    """Yield an HDF5 file that is written to disk when it is complete.

    Until then it is in memory, because HDF5 may end the process if the disk is
    full.

    Args:
        path: Path of the file.

    Yields:
        A `h5py.File`.
    """
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        yield file
    with written_aside(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def _full(error):
    """Return the error number if the error is that of a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in FULL else None
    # TensorFlow, array_record and HDF5 quote the system's message. NumPy has
    # its own.
    for number in FULL:
        if os.strerror(number) in str(error):
            return number
    return (
        errno.ENOSPC
        if re.search("requested and .* written", str(error))
        else None
    )
