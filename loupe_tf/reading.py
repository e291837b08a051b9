"""Reading files that may be damaged, hostile or huge: what all readers share.

Every error of a reader names the file, and no file gets more memory than
`memory_limit()`, which is checked before the memory is taken.
"""

import contextlib
import io
import json
import math
import mmap
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


def open_hdf5(path):
    """Open an HDF5 file to read.

    Args:
        path: Path of the file.

    Returns:
        An `h5py.File`. Take data sets from it with `hdf5_dataset`.
    """
    import h5py

    check_file(path)
    with naming(path, "an HDF5 file"):
        _check_heaps(path)
        return h5py.File(path, "r")


def is_hdf5(path):
    """Whether a file is HDF5, which may begin behind a block of a user's.

    MATLAB's files of version 7.3 have 512 bytes of text there.

    Raises:
        FileNotFoundError: If there is none.
    """
    import h5py

    check_file(path)
    return h5py.is_hdf5(path)


def hdf5_names(file):
    """Sorted names of what an HDF5 file holds, at its top."""
    with naming(file.filename, "an HDF5 file"):
        return sorted(file)


def hdf5_dataset(file, name):
    """A data set of an HDF5 file, whose numbers lie in that file.

    A file does not choose which other files are read: links to other files,
    external storage and virtual data sets are refused, in any part of the name.

    Args:
        file: An `h5py.File`.
        name: String, such as `"dataset/data"`.

    Returns:
        An `h5py.Dataset`, or `None` where there is none of that name.
    """
    import h5py

    path = file.filename
    with naming(path, f"an HDF5 file with a data set {name}"):
        found = file
        for part in name.split("/"):
            if not isinstance(found, h5py.Group):
                return None
            link = found.get(part, getlink=True)
            if link is None:
                return None
            if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
                raise BadFileError(
                    path,
                    f"Expected {name} in the file itself. Received: a link "
                    f"to {link.path}",
                )
            found = found[part]
        if not isinstance(found, h5py.Dataset):
            return None
        if found.external or found.is_virtual:
            raise BadFileError(
                path,
                f"Expected {name} in the file itself. Received: one that "
                "lies in another file",
            )
        _check_type(found.id.get_type())
        if found.chunks:
            _check_chunks(path, found)
        if found.dtype.hasobject:
            _check_lists(path, found)
        return found


def hdf5_attribute(file, name):
    """An attribute at the top of an HDF5 file, or `None`."""
    with naming(file.filename, f"an HDF5 file with an attribute {name}"):
        if name not in file.attrs:
            return None
        attribute = file.attrs.get_id(name)
        kind = attribute.get_type()
        _check_type(kind)
        count = attribute.get_space().get_simple_extent_npoints()
        check_memory(file.filename, count * kind.get_size())
        return file.attrs[name]


def read_hdf5(dataset, index=(), field=None):
    """Read a data set, or a part of it, within the limit.

    Args:
        dataset: What `hdf5_dataset` returned.
        index: What is read of it: everything by default.
        field: (Optional) string, which field of its records.

    Returns:
        An array, or a scalar.
    """
    path, name = dataset.file.filename, dataset.name.lstrip("/")
    with naming(path, f"an HDF5 file with a data set {name}"):
        whole = index in ((), ...) or dataset.shape is None
        count = dataset.size if whole else _count(dataset, index)
        # A chunk is unpacked whole, however little of it is read.
        count = max(count or 0, math.prod(dataset.chunks or ()))
        check_memory(path, count * dataset.dtype.itemsize)
        if dataset.dtype.hasobject and field is None:
            _check_heaps(path, dataset)
            if count > 1:  # Many may share one text, or one list.
                check_memory(path, count * os.stat(path).st_size)
        return (dataset.fields(field) if field else dataset)[index]


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


def _check_type(found):
    """Refuse types that only damaged files have, before HDF5 crashes.

    For numbers that NumPy does not have, h5py takes a wider type, and in a
    record HDF5 then writes beside its memory; lists of an unknown kind have no
    functions.

    Args:
        found: An `h5py.h5t.TypeID`.
    """
    from h5py import h5t

    if isinstance(found, h5t.TypeCompoundID):
        for i in range(found.get_nmembers()):
            _check_type(found.get_member_type(i))
    elif isinstance(found, h5t.TypeVlenID | h5t.TypeArrayID | h5t.TypeEnumID):
        _check_type(found.get_super())
        # The bits that follow the class say of what kind it is.
        if isinstance(found, h5t.TypeVlenID) and any(found.encode()[3:6]):
            raise ValueError("lists of an unknown kind")
    elif isinstance(found, h5t.TypeIntegerID | h5t.TypeFloatID):
        if found != h5t.py_create(found.dtype):
            raise ValueError("numbers of a type that NumPy does not have")


def _check_chunks(path, dataset):
    """Refuse chunks that the file has no room for: HDF5 takes the memory."""
    size = os.stat(path).st_size

    def check(chunk):
        if chunk.size > size:
            raise ValueError(f"a chunk of {chunk.size} bytes")

    dataset.id.chunk_iter(check)


def _check_lists(path, dataset):
    """Refuse texts and lists that the file has no room for.

    HDF5 takes the memory for the length that stands in the file, up to 16 GiB
    for each, before it looks for the numbers. Where they are compressed the
    lengths cannot be seen.
    """
    kind, pieces = dataset.id.get_type(), []
    places = _places_of_lists(kind)
    # In memory a text is a pointer, in the file four bytes more than two.
    size = 16 if places == [(0, 1)] else kind.get_size()
    if dataset.chunks is None:
        start = dataset.id.get_offset()
        pieces = [] if start is None else [(start, dataset.size * size)]
    elif not (
        dataset.id.get_create_plist().get_nfilters()
        or dataset.file.userblock_size
    ):
        dataset.id.chunk_iter(
            lambda chunk: pieces.append((chunk.byte_offset, chunk.size))
        )
    with open(path, "rb") as file:
        largest = os.fstat(file.fileno()).st_size
        for start, length in pieces:
            file.seek(start)
            content = file.read(min(length, largest))
            content = content[: len(content) // size * size]
            records = np.frombuffer(content, np.uint8).reshape(-1, size)
            for offset, width in places:
                counts = records[:, offset : offset + 4].copy().view("<u4")
                if counts.size and int(counts.max()) * width > largest:
                    raise ValueError(f"a list of {counts.max()} entries")


def _places_of_lists(kind, offset=0):
    """Where in a record the lengths of its lists are, and their entries' size.

    Those of texts in a record are left out: they lie elsewhere in the file.
    """
    from h5py import h5t

    if isinstance(kind, h5t.TypeCompoundID):
        members = [
            (kind.get_member_type(i), kind.get_member_offset(i))
            for i in range(kind.get_nmembers())
        ]
        if any(isinstance(member, h5t.TypeStringID) for member, _ in members):
            return []
        found = [_places_of_lists(*member) for member in members]
        return [(offset + at, width) for part in found for at, width in part]
    if isinstance(kind, h5t.TypeVlenID):
        return [(offset, kind.get_super().get_size())]
    if isinstance(kind, h5t.TypeStringID) and kind.is_variable_str():
        return [(offset, 1)]
    return []


def _check_heaps(path, dataset=None):
    """Refuse texts and lists in whose heap HDF5 would go round for ever.

    It takes the size of each entry from the file, and does not ask whether the
    next one lies further on (H5HG in HDF5 1.14).

    Args:
        path: Path of the file.
        dataset: (Optional) data set of texts or lists, whose heaps are looked
            for wherever they are. Without one, those of attributes are looked
            for at either end of the file.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return  # HDF5's own error says so.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if dataset is None:
                ends = (0, 2**20), (max(0, size - 2**20), size)
                places = _find_heaps(content, *ends)
            elif (start := dataset.id.get_offset()) and dataset.size == 1:
                (place,) = struct.unpack_from("<Q", content, start + 4)
                places = [place + dataset.file.userblock_size]
            else:
                places = _find_heaps(content, (0, size))
            for place in places:
                _walk_heap(content, place, size)


def _find_heaps(content, *ranges):
    for start, end in ranges:
        while (start := content.find(b"GCOL\1\0\0\0", start, end)) >= 0:
            yield start
            start += 1


def _walk_heap(content, place, size):
    header = content[place : place + 16]
    if len(header) < 16 or header[:4] != b"GCOL":
        return  # HDF5 refuses it.
    end = place + struct.unpack_from("<Q", header, 8)[0]
    place += 16
    while place + 16 <= min(end, size):
        number, _, length = struct.unpack_from("<H6sQ", content, place)
        length = 16 + -(-length // 8) * 8 if number else length
        if not 16 <= length <= end - place:
            raise ValueError("a heap of texts contradicts itself")
        place += length


def _count(dataset, index):
    """Number of elements of a selection along the first axis."""
    if isinstance(index, numbers.Integral):
        return math.prod(dataset.shape[1:])
    length = len(range(*index.indices(dataset.shape[0])))
    return length * math.prod(dataset.shape[1:])


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
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected a positive "
            "number of bytes, or a string such as '16G'. "
            f"Received: {argument}={limit!r}"
        )
    return limit


def _in_words(nbytes):
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.4g} {unit}"
        nbytes /= 1024
    return f"{nbytes:.4g} TiB"
