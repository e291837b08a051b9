"""Helpers to read files that may be damaged, hostile or huge.

Every error of a reader names the file. No file gets more memory than
`memory_limit()`, which is checked before memory is allocated.
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
# For commands and workers, which do not run the user's Python code.
VARIABLE = "LOUPE_TF_MEMORY_LIMIT"
# Bytes of memory for each byte of XML once it is parsed.
XML = 200
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

_limit = None


class BadFileError(ValueError):
    """A file that cannot be used: damaged, of another kind, or too large.

    Args:
        path: Path of the file.
        reason: String, the problem: "Expected ... Received: ...".
    """

    kind = "file"

    def __init__(self, path, reason):
        super().__init__(path, reason)  # Pickle needs both arguments.
        self.path = str(path)
        self.reason = str(reason)

    def __str__(self):
        return f"Invalid {self.kind} {self.path}. {self.reason}"


def memory_limit():
    """Return the largest number of bytes of memory that one file may require.

    The default is 4 GiB. `set_memory_limit` or the environment variable
    `LOUPE_TF_MEMORY_LIMIT` (bytes, or a string such as `"16G"`) changes it.
    """
    if _limit is not None:
        return _limit
    text = os.environ.get(VARIABLE, "")
    return _parse(text, VARIABLE) if text else DEFAULT_LIMIT


def set_memory_limit(limit):
    """Set the largest number of bytes of memory that one file may require.

    A header of a few bytes can require terabytes. Every reader of this package
    therefore first compares the requirement of a file with this limit.

    Args:
        limit: Positive number of bytes, or a string such as `"16G"` (units
            of 1024); `math.inf` for no limit, `None` for the default.

    Example:

    >>> loupe_tf.formats.set_memory_limit("16G")
    """
    global _limit
    _limit = None if limit is None else _parse(limit, "limit")


def check_memory(path, nbytes, kind=BadFileError):
    """Refuse a file that requires more memory than the limit.

    Args:
        path: Path of the file.
        nbytes: Number of bytes of memory required to read it.
        kind: Class of the error.
    """
    limit = memory_limit()
    if not nbytes <= limit:  # True for NaN as well.
        raise kind(
            path,
            f"Expected at most {_in_words(limit)} of memory for one file, the "
            f"limit that `loupe_tf.formats.set_memory_limit` or {VARIABLE} "
            f"sets. Received: a file that asks for {_in_words(nbytes)}",
        )


@contextlib.contextmanager
def naming(path, expected, kind=BadFileError):
    """Name the file in any error that occurs while it is read.

    Args:
        path: Path of the file.
        expected: String, the expected kind of file, such as "an HDF5 file".
        kind: Class of the error, `BadFileError` or a subclass. With
            `BadFileError` itself, system errors that name the file, such as
            `FileNotFoundError`, are not changed.

    Raises:
        BadFileError: In place of any exception except `ImportError`.
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
    """Refuse a file that is not regular: devices and pipes may never end.

    Args:
        path: Path of the file.
        kind: Class of the error.

    Returns:
        Size of the file in bytes.

    Raises:
        FileNotFoundError: If the path does not exist.
        IsADirectoryError: If the path is a folder.
        BadFileError: If the path is neither a regular file nor a folder.
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
    """Read a whole text file.

    Args:
        path: Path of the file, in UTF-8.
        cost: Number, bytes of memory for each byte of the file once it is
            parsed. JSON, for instance, turns digits into objects.
    """
    check_memory(path, cost * check_file(path))
    with naming(path, "a text file in UTF-8"):
        return pathlib.Path(path).read_text("utf-8")


def parse_json(text):
    """Parse strict JSON, in which names are unique and NaN is not allowed.

    Args:
        text: String or bytes.

    Raises:
        ValueError: If the text is not strict JSON.
    """

    def unique(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("an object has the same name twice")
        return found

    def refuse(name):
        raise ValueError(f"{name} is not a JSON value")

    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)


def load_npy(path, memory_map=False):
    """Load a `.npy` file without unpickling anything.

    Args:
        path: Path of the file.
        memory_map: Boolean. If `True`, the array stays in the file, and the
            memory limit does not apply.

    Returns:
        An array.

    Raises:
        BadFileError: If the file is not a `.npy` file, or if its length
            contradicts its header.
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
        Dictionary of arrays by name. Members that are not arrays are left out.

    Raises:
        BadFileError: If the file is not a `.npz` file, is damaged, or requires
            too much memory.
    """
    check_file(path)
    with naming(path, "arrays in a .npz file"), zipfile.ZipFile(path) as file:
        _check_directory(path, file)
        members = [m for m in file.infolist() if m.filename.endswith(".npy")]
        check_memory(path, sum(2 * member.file_size for member in members))
        if len({member.filename for member in members}) < len(members):
            raise ValueError("the file has the same array twice")
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
    """Parse XML without a document type, and therefore without entities.

    Entities can refer to other files, and a few of them can expand to
    gigabytes.

    Args:
        text: String or bytes.

    Returns:
        The root, an `Element`.

    Raises:
        ValueError: If the text has a document type or is not XML.
    """
    parser = ElementTree.XMLParser(target=_NoDoctype())
    parser.feed(text)
    return parser.close()


class _NoDoctype(ElementTree.TreeBuilder):
    def doctype(self, *args):
        raise ValueError("XML with a document type")


def _npy_header(stream):
    """Return dtype and shape of a `.npy` file, and where its numbers begin."""
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
        file.open(member).close()  # Compares the two copies of its name.
    with open(path, "rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - 2**16 - 22))
        tail = stream.read()
    (count,) = struct.unpack_from("<H", tail, tail.rfind(b"PK\5\6") + 10)
    if count not in (len(file.infolist()), 2**16 - 1):
        raise ValueError(f"its directory should have {count} entries")


def _check_size(expected, found):
    if expected != found:
        raise ValueError(
            f"its header announces {expected} bytes, but there are {found}"
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
