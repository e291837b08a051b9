"""Files that `loupe-tf reconstruct` reads beside scans."""

import hashlib
import pathlib

from loupe_tf import formats, reading
from loupe_tf.cfl import pair


def load_maps(path):
    """Sensitivity maps of a file; `None` and `"espirit"` as they are."""
    if path in (None, "espirit"):
        return path
    if pathlib.Path(path).suffix == ".npy":
        return reading.load_npy(path)
    return formats.load_coils(path)


def content(path, *words):
    """Return the hash of a file for the settings; return words unchanged."""
    if path in (None, *words):
        return path
    digest = hashlib.sha256()
    for file in files_of(path):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def files_of(path):
    """Return the files that a path stands for: BART has two, data last."""
    path = pathlib.Path(path)
    return pair(path) if path.suffix in (".cfl", ".hdr") else [path]
