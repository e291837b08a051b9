"""TFRecord files, read in any order, with their checksums.

A record is its length (8 bytes, little-endian), a checksum of these (4 bytes),
the data, and a checksum of the data (4 bytes).
"""

import os
import struct

import google_crc32c

from loupe_tf.reading import BadFileError


def record_offsets(path):
    """Where the records of a TFRecord file are.

    Only the lengths are read, and their checksums compared.

    Args:
        path: Path of a file that is not compressed.

    Returns:
        A list of pairs of integers, begin and length of the data in bytes.

    Raises:
        BadFileError: If it does not consist of whole records.
    """
    from etils import epath

    path = epath.Path(path)
    size = path.stat().length
    offsets, position = [], 0
    with _open(path) as stream:
        while position < size:
            stream.seek(position)
            header = stream.read(12)
            length = struct.unpack("<Q", header[:8])[0] if header[11:] else 0
            following = position + length + 16
            if length == 0 or following > size:
                raise BadFileError(
                    path,
                    "Expected whole TFRecords. Received: none at byte "
                    f"{position} of {size}",
                )
            _check(path, len(offsets), "length", header[:8], header[8:])
            offsets.append((position + 12, length))
            position = following
    return offsets


def read_record(path, number, offset):
    """Read the data of a record, and compare their checksum.

    Args:
        path: Path of a file that is not compressed.
        number: Integer, which record of the file it is.
        offset: What `record_offsets` returned for it.

    Returns:
        The data, bytes.

    Raises:
        BadFileError: If they are not what was written.
    """
    begin, length = offset
    with _open(path) as stream:
        stream.seek(begin)
        data = stream.read(length)
        checksum = stream.read(4)
    _check(path, number, "data", data, checksum)
    return data


def _open(path):
    """Open a file to read here and there in it, on a disk or in a bucket."""
    path = os.fspath(path)
    if "://" in path:
        from etils import epath

        return epath.Path(path).open("rb")
    return open(path, "rb", buffering=0)


def masked_crc32c(data):
    """The checksum that TFRecord files hold of some bytes, an integer."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _check(path, number, what, data, checksum):
    if struct.pack("<I", masked_crc32c(data)) != checksum:
        raise BadFileError(
            path,
            "Expected records whose checksums hold. Received: record "
            f"{number}, counted from 0, whose {what} differs from what was "
            "written. Build the data set again, or copy the file again",
        )
