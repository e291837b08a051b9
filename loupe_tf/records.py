"""Write the files of a run atomically with checksums, and check them."""

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
    """Name the file in any error, and add a remedy.

    Args:
        path: Path of the file. A missing file is also an error.
        expected: String, the expected kind of file.
        remedy: String, a sentence that says what to do.

    Raises:
        BadFileError: In place of any exception except `ImportError`.
    """
    try:
        with naming(path, expected, _BadRunFileError):
            yield
    except BadFileError as error:
        raise BadFileError(path, f"{error.reason}. {remedy}") from error


class _BadRunFileError(BadFileError):
    """A subclass with which `naming` also replaces system errors."""


def read_json(path, remedy, kind=dict):
    """Read a JSON file of this package.

    Args:
        path: Path of the file.
        remedy: String, a sentence that says what to do if it is damaged.
        kind: Class, or tuple of classes, of the value.

    Returns:
        The value.

    Raises:
        BadFileError: If the file is damaged. The message ends with the remedy.
    """
    with advising(path, "JSON that this package has written", remedy):
        value = json.loads(read_text(path))
        if not isinstance(value, kind):
            raise ValueError(f"it holds a {type(value).__name__}")
        return value


def write_record(path, record):
    """Write a dictionary as JSON with a checksum, atomically."""
    with written_aside(path) as partial:
        partial.write_text(_line(record))


def write_records(path, records):
    """Write several records to one file, one per line, atomically."""
    with written_aside(path) as partial:
        partial.write_text("".join(map(_line, records)))


def _line(record):
    record = json.loads(json.dumps(record))  # As it will be read.
    content = json.dumps(record, sort_keys=True)
    crc = google_crc32c.value(content.encode())
    return json.dumps({**record, "crc32c": crc}) + "\n"


def read_record(path, keys, remedy):
    """Read a file of `write_record`.

    Args:
        path: Path of the file.
        keys: Dictionary from each required key to the class, or tuple of
            classes, of its value.
        remedy: String, a sentence that says what to do if it is damaged.

    Returns:
        The dictionary.

    Raises:
        BadFileError: If the file is damaged. The message ends with the remedy.
    """
    record = read_json(path, remedy)
    with advising(path, "a record that this package has written", remedy):
        _check_crc(record)
        for key, kind in keys.items():
            if not isinstance(record[key], kind):
                raise ValueError(f"{key} is {record[key]!r}")
        return record


def read_records(path, remedy):
    """Read a file of `write_records`.

    Args:
        path: Path of the file.
        remedy: String, a sentence that says what to do if it is damaged.

    Returns:
        A list of dictionaries.

    Raises:
        BadFileError: If the file is damaged. The message names the line.
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
    # Version 0.1.0 did not write checksums.
    crc = record.pop("crc32c", None)
    content = json.dumps(record, sort_keys=True)
    if crc not in (None, google_crc32c.value(content.encode())):
        raise ValueError("its checksum differs")


def save_weights(model, path):
    """Save the weights of a model atomically.

    HDF5 may end the process if the disk is full, so it first writes to memory.

    Args:
        model: A built `keras.Model`.
        path: Path that ends in `.weights.h5`.
    """
    buffer = _Buffer(path)
    model.save_weights(buffer)
    with written_aside(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def checksum(path):
    """Return the CRC32C of a file, an integer."""
    check_file(path)
    return google_crc32c.value(pathlib.Path(path).read_bytes())


def check(path, crc, remedy):
    """Compare the checksum of a file.

    Args:
        path: Path of the file.
        crc: The expected result of `checksum`, or `None` if it is not known.
        remedy: String, a sentence that says what to do if it is damaged.

    Raises:
        BadFileError: If the file is damaged. The message ends with the remedy.
    """
    with advising(path, "a file as this package wrote it", remedy):
        if checksum(path) != crc and crc is not None:
            raise ValueError("its checksum differs")


def load_weights(model, path, crc, remedy):
    """Load weights that `save_weights` wrote.

    Args:
        model: A built `keras.Model`.
        path, crc, remedy: As for `check`.

    Raises:
        BadFileError: If the file is damaged, or if the weights belong to
            another model. The message ends with the remedy.
    """
    check(path, crc, remedy)
    with advising(path, f"the weights of model '{model.name}'", remedy):
        try:
            with warnings.catch_warnings():
                # Keras warns for each layer before it raises the error.
                warnings.simplefilter("ignore")
                model.load_weights(path)
        except ValueError as error:
            if "could not be loaded" not in str(error):
                raise
            raise ValueError(
                "weights of other layers: of another model, or of a run that "
                "version 0.1.0 began, which that version can finish"
            ) from error


class _Buffer(io.BytesIO):
    """A memory buffer that Keras treats as a file of this name."""

    def __init__(self, path):
        super().__init__()
        self._path = os.fspath(path)

    def __str__(self):
        return self._path
