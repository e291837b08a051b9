"""Read TFRecord files in any order and compare their checksums.

A record consists of its length (8 bytes, little-endian), a checksum of the
length (4 bytes), the data, and a checksum of the data (4 bytes).
"""

import os
import struct

import google_crc32c

from loupe_tf.reading import BadFileError


def record_offsets(path):
    """Return the positions of the records in a TFRecord file.

    This reads only the lengths and compares their checksums.

    Args:
        path: Path of an uncompressed file.

    Returns:
        A list of pairs of integers, the start and the length of the data in
        bytes.

    Raises:
        BadFileError: If the file does not consist of complete records.
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
    """Read the data of a record and compare their checksum.

    Args:
        path: Path of an uncompressed file.
        number: Integer, the index of the record in the file.
        offset: The record's entry in the result of `record_offsets`.

    Returns:
        The data, as bytes.

    Raises:
        BadFileError: If the data do not match their checksum.
    """
    begin, length = offset
    with _open(path) as stream:
        stream.seek(begin)
        data = stream.read(length)
        checksum = stream.read(4)
    _check(path, number, "data", data, checksum)
    return data


def _open(path):
    """Open a file for random access, on a disk or in a bucket."""
    path = os.fspath(path)
    if "://" in path:
        from etils import epath

        return epath.Path(path).open("rb")
    return open(path, "rb", buffering=0)


def masked_crc32c(data):
    """The checksum of bytes in TFRecord files, an integer."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _check(path, number, what, data, checksum):
    if struct.pack("<I", masked_crc32c(data)) != checksum:
        raise BadFileError(
            path,
            "Expected records with correct checksums. Received: record "
            f"{number}, counted from 0, whose {what} differs from what was "
            "written. Build the data set again, or copy the file again",
        )
