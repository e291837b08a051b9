import hashlib
import json
import os
import pathlib

import numpy as np


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
            without one, of runs that ended before, may be deleted.
        identity: What tells these images from any others, for JSON. A file of
            another identity is not used.
    """

    def __init__(self, images, folder=None, identity=None):
        self.images = images
        self.count = images.count
        self.shape = images.shape
        self._path = None
        shape = (images.count, *images.shape)
        if folder is None:
            self._array = np.empty(shape, "float32")
            self._missing = np.ones(images.count, bool)
            return
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps([identity, shape], sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        path = folder / f"{name}.npy"
        if path.exists():
            self._array = np.load(path, mmap_mode="r", allow_pickle=False)
            self._missing = np.zeros(images.count, bool)
            if self._array.shape != shape:
                raise ValueError(
                    f"Invalid file {path}. Expected an array of shape {shape}. "
                    f"Received: shape={self._array.shape}"
                )
            return
        self._path = path
        self._partial = folder / f"{name}.{os.getpid()}.partial"
        self._array = np.lib.format.open_memmap(
            self._partial, "w+", "float32", shape
        )
        self._missing = np.ones(images.count, bool)

    def fetch(self, indices):
        """Read images, those that are held from where they are held."""
        indices = np.asarray(indices)
        missing = indices[self._missing[indices]]
        if len(missing):
            # Two threads may both read an image, and write the same.
            images = self.images.fetch(missing)
            self._array[missing] = images
            self._missing[missing] = False
            if self._path is not None and not self._missing.any():
                self._array.flush()
                os.replace(self._partial, self._path)
                self._path = None
            if len(missing) == len(indices):
                return images
        return np.asarray(self._array[indices])
