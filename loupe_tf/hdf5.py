"""Reading HDF5 that may be damaged, hostile or huge.

A file does not choose which other files are read, and what makes HDF5 itself
crash, hang or take memory is refused before it does.
"""

import math
import mmap
import numbers
import os
import struct

import numpy as np

from loupe_tf.reading import BadFileError, check_file, check_memory, naming


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
