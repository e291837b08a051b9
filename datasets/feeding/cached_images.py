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
    """Images that are read once and then cached.

    An image is cached when it is first requested, so the first epoch reads
    nothing extra.

    Args:
        images: Source of the images, such as `SplitImages`, with `count`,
            `shape` and `fetch(indices)`.
        folder: `None` for memory, or path of a folder for a cache file, which
            the operating system keeps in memory as far as it can. The file
            gets its final name when the last image has been read; `.partial`
            files of earlier runs may be deleted. A second file has the
            checksums of the images. A later run compares each of them on first
            use.
        identity: JSON value that identifies the images. A file of another
            identity is not used.
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
        """Return images, from the cache if they are in it."""
        indices = np.asarray(indices)
        missing = indices[self._missing[indices]]
        if len(missing) and self._whole:
            self._compare(missing)
        elif len(missing):
            # Two threads may read the same image and write equal values.
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
                f"{wrong.tolist()}. Delete the file to write it again",
            )
        self._missing[missing] = False

    def _keep(self):
        """Give the file its final name."""
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
    """Allocate the file's disk space now.

    A process that writes to a mapped file on a full disk is killed.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
        except OSError as error:
            # Some file systems do not support this.
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                os.unlink(path)
                raise
