import math
import pathlib

import numpy as np

from loupe_tf import reading
from loupe_tf.atomic import written_aside
from loupe_tf.checks import invalid

ITEM = np.dtype("<c8")


def write_cfl(path, array, sections=None):
    """Write an array as BART's pair of files, `.hdr` and `.cfl`.

    The header is a text file with the size of each dimension. The data are
    little-endian complex64, and the first dimension is the fastest. BART's
    first dimensions are read-out, first and second phase encoding, and coils.
    K-space `(coils, H, W)` is thus written as `(H, W, 1, coils)`, with DC in
    the centre (https://mrirecon.github.io/bart).

    Args:
        path: String or path, with or without one of the two suffixes.
        array: Array of numbers with 1 to 16 dimensions, none of size 0.
        sections: (Optional) dictionary from heading to a line of text, written
            after the dimensions. BART ignores sections that it does not know.

    Raises:
        ValueError: If BART does not support the array, or if a heading or text
            is not a single line.
    """
    array = np.asarray(array)
    if not (
        1 <= array.ndim <= 16
        and array.size
        and (np.issubdtype(array.dtype, np.number) or array.dtype == bool)
    ):
        raise invalid(
            "array",
            "numbers in 1 to 16 dimensions, none of size 0",
            found=f"an array of shape {array.shape} and dtype {array.dtype}",
        )
    texts = [text for section in (sections or {}).items() for text in section]
    if any(text.splitlines() != [text] for text in texts):
        raise invalid("sections", "one line of text each", sections)
    header, data = pair(path)
    for file in (header, data):
        if file.is_dir():
            raise IsADirectoryError(f"{file} is a folder, not a file")
    sizes = " ".join(str(n) for n in array.shape)
    text = f"# Dimensions\n{sizes}\n"
    for heading, line in (sections or {}).items():
        text += f"# {heading}\n{line}\n"
    # The header is renamed last: without it, nobody reads the pair.
    with written_aside(header) as text_file, written_aside(data) as data_file:
        array.astype(ITEM).ravel(order="F").tofile(data_file)
        text_file.write_text(text, "utf-8")


def read_cfl(path, memory_map=False):
    """Read BART's pair of files, `.hdr` and `.cfl`.

    Args:
        path: String or path, with or without one of the two suffixes.
        memory_map: Boolean. If `True`, the array stays in the file and is read
            only where it is accessed. It is then read-only.

    Returns:
        Complex64 array with the dimensions of the header, without trailing
        dimensions of size 1 (but with at least one dimension).

    Raises:
        FileNotFoundError: If one of the two files is missing.
        BadFileError: If the header cannot be read or does not fit the data, or
            if the array requires more memory than the limit.
    """
    header, data = pair(path)
    for file in (header, data):
        if not file.is_file():
            raise FileNotFoundError(
                f"Expected {header.name} and {data.name} beside each other. "
                f"Received: no file {file}"
            )
    reading.check_memory(header, 20 * reading.check_file(header))
    lines = header.read_text("utf-8", "replace").splitlines()
    try:
        title = [line.strip() for line in lines].index("# Dimensions")
        shape = [int(size) for size in lines[title + 1].split()]
    except (ValueError, IndexError):
        shape = []
    if not shape or len(shape) > 16 or min(shape) < 1:
        found = [line[:80] for line in lines[:3]]
        raise reading.BadFileError(
            header,
            "Expected a line '# Dimensions' and 1 to 16 positive integers in "
            f"the next. Received: {found}",
        )
    found, expected = data.stat().st_size, ITEM.itemsize * math.prod(shape)
    if found != expected:
        raise reading.BadFileError(
            data,
            f"Expected {expected} bytes, for the dimensions {shape} of "
            f"{header.name}. Received: {found} bytes",
        )
    if not memory_map:
        reading.check_memory(data, found)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    if memory_map:
        return np.memmap(data, ITEM, "r", shape=tuple(shape), order="F")
    return np.fromfile(data, ITEM).reshape(shape, order="F")


def pair(path):
    """Return the paths of the header and of the data."""
    path = pathlib.Path(path)
    if path.suffix in (".cfl", ".hdr"):
        path = path.with_suffix("")
    return [path.with_name(path.name + suffix) for suffix in (".hdr", ".cfl")]
