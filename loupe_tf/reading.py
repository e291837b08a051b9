"""Reading files that may be damaged, hostile or huge: what all readers share.

Every error of a reader names the file, and no file gets more memory than
`memory_limit()`, which is checked before the memory is taken.
"""

import contextlib
import io
import json
import math
import numbers
import os
import pathlib
import re
import stat
import struct
import textwrap
import zipfile
from xml.etree import ElementTree

import numpy as np

from loupe_tf.checks import invalid

DEFAULT_LIMIT = 4 * 2**30
# For commands and workers, which run no Python of the user's.
VARIABLE = "LOUPE_TF_MEMORY_LIMIT"
# Bytes of memory that a byte of XML takes once it is parsed.
XML = 200
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

_limit = None


class BadFileError(ValueError):
    """A file that cannot be used: damaged, of another kind, or too large.

    Args:
        path: Path of the file.
        reason: String, what is wrong with it: "Expected ... Received: ...".
    """

    kind = "file"

    def __init__(self, path, reason):
        super().__init__(path, reason)  # What pickle needs.
        self.path = str(path)
        self.reason = str(reason)

    def __str__(self):
        return f"Invalid {self.kind} {self.path}. {self.reason}"


def memory_limit():
    """The most bytes that one file may ask of memory, a number.

    4 GiB, unless `set_memory_limit` or the environment variable
    `LOUPE_TF_MEMORY_LIMIT` (bytes, or `"16G"`) says otherwise.
    """
    if _limit is not None:
        return _limit
    text = os.environ.get(VARIABLE, "")
    return _parse(text, VARIABLE) if text else DEFAULT_LIMIT


def set_memory_limit(limit):
    """Set how many bytes one file may ask of memory.

    A header of a few bytes can ask for terabytes, so that every reader of this
    package compares what a file asks for with this limit first.

    Args:
        limit: Positive number of bytes, or a string such as `"16G"` (units
            of 1024); `math.inf` for no limit, `None` for the default again.

    Example:

    >>> loupe_tf.formats.set_memory_limit("16G")
    """
    global _limit
    _limit = None if limit is None else _parse(limit, "limit")


def check_memory(path, nbytes, kind=BadFileError):
    """Refuse a file that asks for more memory than the limit.

    Args:
        path: Path of the file.
        nbytes: Number of bytes that reading it would take.
        kind: Class of the error.
    """
    limit = memory_limit()
    if not nbytes <= limit:  # Nor what is not a number.
        raise kind(
            path,
            f"Expected at most {_in_words(limit)} of memory for one file, the "
            f"limit that `loupe_tf.formats.set_memory_limit` or {VARIABLE} "
            f"sets. Received: a file that asks for {_in_words(nbytes)}",
        )


@contextlib.contextmanager
def naming(path, expected, kind=BadFileError):
    """Name the file in whatever goes wrong while it is read.

    Args:
        path: Path of the file.
        expected: String, what the file should have been: "an HDF5 file".
        kind: Class of the error, `BadFileError` or a subclass. With
            `BadFileError` itself, errors of the system that name the file
            stay as they are, such as `FileNotFoundError`.

    Raises:
        BadFileError: In place of any exception but `ImportError`.
    """
    try:
        yield
    except (kind, ImportError):
        raise
    except BadFileError as error:
        raise kind(path, error.reason) from error
    except Exception as error:  # Damaged files fail in many ways.
        named = isinstance(error, OSError) and error.filename is not None
        if named and kind is BadFileError:
            raise
        text = textwrap.shorten(f"{type(error).__name__}: {error}", 300)
        raise kind(
            path,
            f"Expected {expected}. Received: one that cannot be read ({text})",
        ) from error


def check_file(path, kind=BadFileError):
    """Refuse what is no regular file: devices and pipes never end.

    Args:
        path: Path of the file.
        kind: Class of the error.

    Returns:
        Size of the file in bytes.

    Raises:
        FileNotFoundError: If there is none.
        IsADirectoryError: If it is a folder.
        BadFileError: If it is neither a file nor a folder.
    """
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(21, "Is a directory", os.fspath(path))
    if not stat.S_ISREG(found.st_mode):
        raise kind(
            path,
            "Expected a regular file. Received: a device, a pipe or a socket",
        )
    return found.st_size


def read_text(path, cost=20):
    """Read a text file whole.

    Args:
        path: Path of the file, UTF-8.
        cost: Number, bytes of memory that a byte of it takes once it is
            parsed: JSON makes objects of digits.
    """
    check_memory(path, cost * check_file(path))
    with naming(path, "a text file in UTF-8"):
        return pathlib.Path(path).read_text("utf-8")


def parse_json(text):
    """What strict JSON holds: no name twice, and no NaN.

    Args:
        text: String or bytes.

    Raises:
        ValueError: If it is none.
    """

    def unique(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name stands twice in an object")
        return found

    def refuse(name):
        raise ValueError(f"{name} is no value of JSON")

    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)


def load_npy(path, memory_map=False):
    """Load a `.npy` file without unpickling anything.

    Args:
        path: Path of the file.
        memory_map: Boolean. If `True` the array stays in the file, and the
            limit is not applied to it.

    Returns:
        An array.

    Raises:
        BadFileError: If it is none, or is longer or shorter than it says.
    """
    size = check_file(path)
    with naming(path, "an array in a .npy file"), open(path, "rb") as file:
        dtype, shape, begin = _npy_header(file)
        _check_size(math.prod(shape) * dtype.itemsize, size - begin)
        if not memory_map:
            check_memory(path, size)
        if memory_map and math.prod(shape):
            return np.load(path, mmap_mode="r", allow_pickle=False)
        file.seek(0)
        return np.load(file, allow_pickle=False)


def load_npz(path):
    """Load the arrays of a `.npz` file without unpickling anything.

    Args:
        path: Path of the file.

    Returns:
        Dictionary of arrays by name. Members that are no arrays are left out.

    Raises:
        BadFileError: If it is none, is damaged, or unpacks to too much.
    """
    check_file(path)
    with naming(path, "arrays in a .npz file"), zipfile.ZipFile(path) as file:
        _check_directory(path, file)
        members = [m for m in file.infolist() if m.filename.endswith(".npy")]
        check_memory(path, sum(2 * member.file_size for member in members))
        if len({member.filename for member in members}) < len(members):
            raise ValueError("an array stands twice in it")
        arrays = {}
        for member in members:
            stream = io.BytesIO(file.read(member))
            dtype, shape, begin = _npy_header(stream)
            found = member.file_size - begin
            _check_size(math.prod(shape) * dtype.itemsize, found)
            stream.seek(0)
            name = member.filename.removesuffix(".npy")
            arrays[name] = np.load(stream, allow_pickle=False)
        return arrays


def parse_xml(text):
    """Parse XML that declares no document type, thus has no entities.

    Entities name other files, and a few of them expand to gigabytes.

    Args:
        text: String or bytes.

    Returns:
        An `Element`, the root.

    Raises:
        ValueError: If there is a document type, or it is no XML.
    """
    parser = ElementTree.XMLParser(target=_NoDoctype())
    parser.feed(text)
    return parser.close()


class _NoDoctype(ElementTree.TreeBuilder):
    def doctype(self, *args):
        raise ValueError("XML with a document type")


def _npy_header(stream):
    """Type and shape of a `.npy` file, and where its numbers begin."""
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never unpickled")
    if any(n < 0 for n in shape):
        raise ValueError(f"its header says shape={shape}")
    return dtype, shape, stream.tell()


def _check_directory(path, file):
    """Refuse a ZIP file whose directory, which has no checksum, is damaged."""
    for member in file.infolist():
        file.open(member).close()  # Compares its name with that in place.
    with open(path, "rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - 2**16 - 22))
        tail = stream.read()
    (count,) = struct.unpack_from("<H", tail, tail.rfind(b"PK\5\6") + 10)
    if count not in (len(file.infolist()), 2**16 - 1):
        raise ValueError(f"its directory should have {count} entries")


def _check_size(expected, found):
    if expected != found:
        raise ValueError(
            f"its header speaks of {expected} bytes, and {found} are there"
        )


def _parse(limit, argument):
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)(i?B)?\s*", str(limit), re.I)
    if match and match[1].count(".") <= 1 and isinstance(limit, str):
        limit = float(match[1]) * UNITS[match[2].upper()]
    if (
        isinstance(limit, bool)
        or not isinstance(limit, numbers.Real)
        or not limit > 0
    ):
        raise invalid(
            argument,
            "a positive number of bytes, or a string such as '16G'",
            limit,
        )
    return limit


def _in_words(nbytes):
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.4g} {unit}"
        nbytes /= 1024
    return f"{nbytes:.4g} TiB"
