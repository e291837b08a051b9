"""Files, and folders of them, that appear at once and whole."""

import contextlib
import errno
import io
import os
import pathlib
import re
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


def remove_strays(folder):
    """Delete what processes killed inside of `written_aside` have left.

    Args:
        folder: Path of the folder that they wrote to, in which no process
            writes now.
    """
    for stray in pathlib.Path(folder).glob(".*.*"):
        name = stray.name[1:].rpartition(".")[0]
        if stray.is_dir() and not (
            {each.name for each in stray.iterdir()} - {name, f"{name}.before"}
        ):
            shutil.rmtree(stray, ignore_errors=True)


@contextlib.contextmanager
def naming_disk(path):
    """Name the file, and say what room there is, when a disk is full.

    Args:
        path: Path of the file that is written inside.
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
            f"{os.strerror(number)}: {free:.1f} MB free. What was there "
            "before is left as it was",
            os.fspath(path),
        ) from error


@contextlib.contextmanager
def hdf5_written(path):
    """Give an HDF5 file to write to, which appears when it is complete.

    It is in memory until then: HDF5 may end the process if the disk is full.

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
    """The number of the system's error, if it is that of a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in FULL else None
    # TensorFlow, array_record and HDF5 tell it in words, NumPy in its own.
    for number in FULL:
        if os.strerror(number) in str(error):
            return number
    return (
        errno.ENOSPC
        if re.search("requested and .* written", str(error))
        else None
    )
