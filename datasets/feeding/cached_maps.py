import hashlib
import json
import math
import pathlib

import google_crc32c
import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.reading import BadFileError
from loupe_tf.reconstruction import espirit_maps

CHECKSUM = 4  # Bytes.


class CachedMaps:
    """Sensitivity maps that are estimated once and then read from a folder.

    Each slice has a file of its own, written as a whole, so a run that is
    stopped loses at most the slice that it was estimating, and several
    processes may fill one folder. A hash of the k-space and of the settings is
    the name of the file: the maps stay valid if the data set is copied or built
    again, and are not used for other k-space or settings.

    Args:
        folder: Path of the folder. It is created if needed.
        settings: JSON value, what else the maps depend on.
        options: Dict of arguments of `espirit_maps`.
    """

    def __init__(self, folder, settings=None, options=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.options = dict(options or {})
        self._settings = json.dumps([settings, self.options], sort_keys=True)

    def __call__(self, stored, kspace):
        """Return the maps of a slice.

        Args:
            stored: Complex array, the k-space as it is stored. Together with
                the settings it identifies the maps.
            kspace: Complex array `(coils, H, W)`, the k-space whose maps are
                wanted. Samples that are zero in all coils count as not
                acquired.

        Returns:
            Complex64 array `(coils, H, W)`; zeros for k-space of zeros.

        Raises:
            BadFileError: If the file of the maps is damaged.
            ValueError: If the maps cannot be estimated.
        """
        acquired = np.any(kspace != 0, axis=0)
        if not acquired.any():
            return np.zeros_like(kspace)
        path = self._path(stored)
        if path.exists():
            return _load(path, kspace.shape)
        maps = espirit_maps(kspace, acquired, **self.options)
        with written_aside(path) as partial:
            with open(partial, "xb") as file:
                file.write(np.ascontiguousarray(maps))
                file.write(_checksum(maps))
        return maps

    def _path(self, stored):
        text = f"{self._settings}{stored.shape}{stored.dtype}"
        found = hashlib.blake2b(text.encode(), digest_size=16)
        found.update(np.ascontiguousarray(stored))
        return self.folder / f"{found.hexdigest()}.maps"


def _load(path, shape):
    """Read a file of complex64 numbers and their checksum.

    A `.npy` file has a header that is parsed as Python, which may fail in
    Python 3.11 if two threads do it at a time (python/cpython#106905).
    """
    nbytes = 8 * math.prod(shape)
    whole = path.stat().st_size == nbytes + CHECKSUM
    if whole:
        data = path.read_bytes()
        maps = np.frombuffer(data[:nbytes], np.complex64).reshape(shape)
        whole = _checksum(maps) == data[nbytes:]
    if not whole:
        raise BadFileError(
            path,
            "Expected the maps that were written. Received: others. Delete the "
            "file to estimate the maps again",
        )
    return maps


def _checksum(maps):
    return google_crc32c.value(maps.tobytes()).to_bytes(CHECKSUM, "big")
