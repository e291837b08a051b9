import errno
import hashlib
import json
import os
import pathlib

import google_crc32c
import numpy as np

from loupe_tf.atomic import naming_disk, written_aside
from loupe_tf.reading import BadFileError, load_npy


class CachedImages:
    """Images that are read once, and then held.

    An image is kept when it is asked for the first time, so that the first
    epoch reads what it would read anyhow.

    Args:
        images: What holds the images, such as `SplitImages`: `count`, `shape`
            and `fetch(indices)`.
        folder: `None` for memory, or path of a folder: then they are kept in a
            file there, of which the operating system holds in memory what it
            can. It gets its name when the last image has been read; files
            without one, of runs that ended before, may be deleted. A file
            beside it holds the checksums of the images, which are compared
            when a later run first asks for each.
        identity: What tells these images from any others, for JSON. A file of
            another identity is not used.
    """

    def __init__(self, images, folder=None, identity=None):
        self.images = images
        self.count = images.count
        self.shape = images.shape
        self._path = None
        self._whole = False
        self._missing = np.ones(images.count, bool)
        shape = (images.count, *images.shape)
        if folder is None:
            self._array = np.empty(shape, "float32")
            return
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps([identity, shape], sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        self._path = folder / f"{name}.npy"
        self._checksums_path = folder / f"{name}.crc32c"
        self._whole = self._path.exists() and self._checksums_path.exists()
        if self._whole:
            self._array = _load(self._path, shape, "float32")
            self._checksums = _load(self._checksums_path, shape[:1], "uint32")
            return
        self._partial = folder / f"{name}.{os.getpid()}.partial"
        self._checksums = np.zeros(shape[:1], "uint32")
        with naming_disk(self._partial):
            self._array = np.lib.format.open_memmap(
                self._partial, "w+", "float32", shape
            )
            _reserve(self._partial)

    def fetch(self, indices):
        """Read images, those that are held from where they are held."""
        indices = np.asarray(indices)
        missing = indices[self._missing[indices]]
        if len(missing) and self._whole:
            self._compare(missing)
        elif len(missing):
            # Two threads may both read an image, and write the same.
            images = self.images.fetch(missing)
            self._array[missing] = images
            if self._path is not None:
                self._checksums[missing] = _checksums(images)
            self._missing[missing] = False
            if self._path is not None and not self._missing.any():
                self._keep()
            if len(missing) == len(indices):
                return images
        return np.asarray(self._array[indices])

    def _compare(self, missing):
        found = _checksums(self._array[missing])
        wrong = missing[found != self._checksums[missing]]
        if len(wrong):
            raise BadFileError(
                self._path,
                "Expected the images that were written. Received: others at "
                f"{wrong.tolist()}. Delete it, and it is written again",
            )
        self._missing[missing] = False

    def _keep(self):
        """Give the file its name."""
        self._array.flush()
        with written_aside(self._checksums_path) as partial:
            with open(partial, "xb") as file:
                np.save(file, self._checksums)
        os.replace(self._partial, self._path)
        self._path = None


def _checksums(images):
    return [google_crc32c.value(image.tobytes()) for image in images]


def _load(path, shape, dtype):
    array = load_npy(path, memory_map=True)
    if array.shape != shape or array.dtype != dtype:
        raise BadFileError(
            path,
            f"Expected an array of shape {shape} and dtype {dtype}. Received: "
            f"shape={array.shape}, dtype={array.dtype}",
        )
    return array


def _reserve(path):
    """Take the room on the disk at once.

    To write into a mapped file for which there is none is the end of the
    process.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
        except OSError as error:
            # There are file systems that cannot.
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                os.unlink(path)
                raise
