"""The files of a run: written whole with their checksums, read with care."""

import contextlib
import io
import json
import os
import pathlib
import warnings

import google_crc32c

from loupe_tf.atomic import written_aside
from loupe_tf.reading import BadFileError, check_file, naming, read_text


@contextlib.contextmanager
def advising(path, expected, remedy):
    """Name the file in whatever goes wrong, and say what to do.

    Args:
        path: Path of the file. If it is not there, that is damage too.
        expected: String, what the file should have been.
        remedy: String, a sentence.

    Raises:
        BadFileError: In place of any exception but `ImportError`.
    """
    try:
        with naming(path, expected, _BadRunFileError):
            yield
    except BadFileError as error:
        raise BadFileError(path, f"{error.reason}. {remedy}") from error


class _BadRunFileError(BadFileError):
    """So that `naming` names errors of the system too."""


def read_json(path, remedy, kind=dict):
    """Read what `json.dump` has written.

    Args:
        path: Path of the file.
        remedy: String, a sentence that says what to do if it is damaged.
        kind: Class, or tuple of classes, of the value.

    Returns:
        The value.

    Raises:
        BadFileError: If the file is damaged. It ends with the remedy.
    """
    with advising(path, "JSON that this package has written", remedy):
        value = json.loads(read_text(path))
        if not isinstance(value, kind):
            raise ValueError(f"it holds a {type(value).__name__}")
        return value


def write_record(path, record):
    """Write a dict that JSON can store, with a checksum, all or nothing."""
    with written_aside(path) as partial:
        partial.write_text(_line(record))


def write_records(path, records):
    """Write many of them into one file, a line each, all or nothing."""
    with written_aside(path) as partial:
        partial.write_text("".join(map(_line, records)))


def _line(record):
    record = json.loads(json.dumps(record))  # As it will be read.
    content = json.dumps(record, sort_keys=True)
    crc = google_crc32c.value(content.encode())
    return json.dumps({**record, "crc32c": crc}) + "\n"


def read_record(path, keys, remedy):
    """Read what `write_record` has written.

    Args:
        path: Path of the file.
        keys: Dict, the class (or classes) of each value that is needed.
        remedy: String, a sentence that says what to do if it is damaged.

    Returns:
        The dict.

    Raises:
        BadFileError: If the file is damaged. It ends with the remedy.
    """
    record = read_json(path, remedy)
    with advising(path, "a record that this package has written", remedy):
        _check_crc(record)
        for key, kind in keys.items():
            if not isinstance(record[key], kind):
                raise ValueError(f"{key} is {record[key]!r}")
        return record


def read_records(path, remedy):
    """Read what `write_records` has written.

    Args:
        path: Path of the file.
        remedy: String, a sentence that says what to do if it is damaged.

    Returns:
        A list of dicts.

    Raises:
        BadFileError: If the file is damaged. It names the line.
    """
    records = []
    with advising(path, "records that this package has written", remedy):
        for number, line in enumerate(read_text(path).splitlines(), 1):
            try:
                records.append(json.loads(line))
                _check_crc(records[-1])
            except (AttributeError, ValueError) as error:
                raise ValueError(f"line {number}: {error}") from error
    return records


def _check_crc(record):
    # Version 0.1.0 wrote none.
    crc = record.pop("crc32c", None)
    content = json.dumps(record, sort_keys=True)
    if crc not in (None, google_crc32c.value(content.encode())):
        raise ValueError("its checksum differs")


def save_weights(model, path):
    """Save the weights of a model, all or nothing.

    HDF5 may end the process if the disk is full, so it writes to memory.

    Args:
        model: A built `keras.Model`.
        path: Path that ends in `.weights.h5`.
    """
    buffer = _Buffer(path)
    model.save_weights(buffer)
    with written_aside(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def checksum(path):
    """CRC32C of a file, an integer."""
    check_file(path)
    return google_crc32c.value(pathlib.Path(path).read_bytes())


def check(path, crc, remedy):
    """Compare the checksum of a file.

    Args:
        path: Path of the file.
        crc: What `checksum` returned once, or `None` if that is not known.
        remedy: String, a sentence that says what to do if it is damaged.

    Raises:
        BadFileError: If the file is damaged. It ends with the remedy.
    """
    with advising(path, "a file as this package wrote it", remedy):
        if checksum(path) != crc and crc is not None:
            raise ValueError("its checksum differs")


def load_weights(model, path, crc, remedy):
    """Load weights that `save_weights` has written.

    Args:
        model: A built `keras.Model`.
        path, crc, remedy: As those of `check`.

    Raises:
        BadFileError: If the file is damaged, or the weights are those of
            another model. It ends with the remedy.
    """
    check(path, crc, remedy)
    with advising(path, f"the weights of model '{model.name}'", remedy):
        try:
            with warnings.catch_warnings():
                # Keras's, one a layer, of what it refuses in the end.
                warnings.simplefilter("ignore")
                model.load_weights(path)
        except ValueError as error:
            if "could not be loaded" not in str(error):
                raise
            raise ValueError(
                "those of other layers: of another model, or of a run that "
                "version 0.1.0 began, which that version can finish"
            ) from error


class _Buffer(io.BytesIO):
    """Memory that Keras takes for a file of this name."""

    def __init__(self, path):
        super().__init__()
        self._path = os.fspath(path)

    def __str__(self):
        return self._path
