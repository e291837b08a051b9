"""Read HDF5 files that may be damaged, hostile or huge.

A file cannot make this package read other files. Content that would make HDF5
itself crash, hang or take too much memory is refused first.
"""

import math
import mmap
import numbers
import os
import struct

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.reading import BadFileError, check_file, check_memory, naming


def open_hdf5(path):
    """Open an HDF5 file for reading.

    Args:
        path: Path of the file.

    Returns:
        An `h5py.File`. Get its data sets with `hdf5_dataset`.
    """
    import h5py

    check_file(path)
    with naming(path, "an HDF5 file"):
        _check_heaps(path)
        return h5py.File(path, "r")


def is_hdf5(path):
    """Return whether a file is HDF5, possibly after a user block.

    MATLAB's files of version 7.3 begin with 512 bytes of text.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    import h5py

    check_file(path)
    return h5py.is_hdf5(path)


def hdf5_names(file):
    """Return the sorted names at the top level of an HDF5 file."""
    with naming(file.filename, "an HDF5 file"):
        return sorted(file)


def refuse_other_data(path, mark, kind):
    """Refuse to overwrite an HDF5 file without a mark of this package.

    Args:
        path: Path of the file that is to be written.
        mark: String, name of the attribute that marks files of its kind.
        kind: String, what such files hold, such as "mask".
    """
    if not os.path.exists(path):
        return
    with open_hdf5(path) as file:
        with naming(path, "an HDF5 file"):
            is_marked = mark in file.attrs
        if not is_marked:
            raise invalid(
                "path",
                f"a new file, or one that holds only a {kind}",
                found=f"path={path}, which holds {hdf5_names(file)}",
            )


def hdf5_dataset(file, name):
    """Return a data set whose numbers are in the HDF5 file itself.

    A file cannot make this package read other files: links to other files,
    external storage and virtual data sets are refused, in any part of the name.

    Args:
        file: An `h5py.File`.
        name: String, such as `"dataset/data"`.

    Returns:
        An `h5py.Dataset`, or `None` if there is none of that name.
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
    """Return an attribute at the top level of an HDF5 file, or `None`."""
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
    """Read a data set, or part of it, within the memory limit.

    Args:
        dataset: The result of `hdf5_dataset`.
        index: Index of the part to read. Defaults to everything.
        field: (Optional) string, name of the field to read from its records.

    Returns:
        An array, or a scalar.
    """
    path, name = dataset.file.filename, dataset.name.lstrip("/")
    with naming(path, f"an HDF5 file with a data set {name}"):
        # NumPy's integers cannot be compared with a tuple.
        one = isinstance(index, numbers.Integral)
        whole = not one and index in ((), ...) or dataset.shape is None
        count = dataset.size if whole else _count(dataset, index)
        # A chunk is always unpacked as a whole.
        count = max(count or 0, math.prod(dataset.chunks or ()))
        check_memory(path, count * dataset.dtype.itemsize)
        if dataset.dtype.hasobject and field is None:
            _check_heaps(path, dataset)
            if count > 1:  # Many entries may share one text or list.
                check_memory(path, count * os.stat(path).st_size)
        return (dataset.fields(field) if field else dataset)[index]


def _check_type(found):
    """Refuse types that only damaged files have, because HDF5 would crash.

    For numbers that NumPy does not support, h5py takes a wider type, and HDF5
    then writes outside the memory of a record. Lists of an unknown kind have no
    functions in HDF5.

    Args:
        found: An `h5py.h5t.TypeID`.
    """
    from h5py import h5t

    if isinstance(found, h5t.TypeCompoundID):
        for i in range(found.get_nmembers()):
            _check_type(found.get_member_type(i))
    elif isinstance(found, h5t.TypeVlenID | h5t.TypeArrayID | h5t.TypeEnumID):
        _check_type(found.get_super())
        # The bits after the class give the kind.
        if isinstance(found, h5t.TypeVlenID) and any(found.encode()[3:6]):
            raise ValueError("lists of an unknown kind")
    elif isinstance(found, h5t.TypeIntegerID | h5t.TypeFloatID):
        if found != h5t.py_create(found.dtype):
            raise ValueError("numbers of a type that NumPy does not have")


def _check_chunks(path, dataset):
    """Refuse chunks larger than the file: HDF5 would allocate them."""
    size = os.stat(path).st_size

    def check(chunk):
        if chunk.size > size:
            raise ValueError(f"a chunk of {chunk.size} bytes")

    dataset.id.chunk_iter(check)


def _check_lists(path, dataset):
    """Refuse texts and lists that are longer than the file.

    HDF5 allocates memory for the length given in the file, up to 16 GiB each,
    before it looks for the numbers. Lengths cannot be checked if they are
    compressed.
    """
    kind, pieces = dataset.id.get_type(), []
    places = _places_of_lists(kind)
    # In memory, a text is a pointer. In the file, it takes 16 bytes.
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
    """Return where a record has the lengths of its lists, and their item sizes.

    Records with texts are left out, because their lengths are elsewhere.
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
    """Refuse texts and lists in whose heap HDF5 would loop forever.

    HDF5 takes the size of each entry from the file, and does not check that the
    next entry is further on (H5HG in HDF5 1.14).

    Args:
        path: Path of the file.
        dataset: (Optional) data set of texts or lists, whose heaps are searched
            in the whole file. Without one, heaps of attributes are searched at
            both ends of the file.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return  # HDF5 reports an empty file itself.
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
    """Count the elements of a selection along the first axis."""
    if isinstance(index, numbers.Integral):
        return math.prod(dataset.shape[1:])
    length = len(range(*index.indices(dataset.shape[0])))
    return length * math.prod(dataset.shape[1:])
