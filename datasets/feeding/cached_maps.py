import hashlib
import json
import pathlib

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.reading import BadFileError, load_npz
from loupe_tf.reconstruction import espirit_maps


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
            np.savez(partial, maps=maps)
        return maps

    def _path(self, stored):
        text = f"{self._settings}{stored.shape}{stored.dtype}"
        found = hashlib.blake2b(text.encode(), digest_size=16)
        found.update(np.ascontiguousarray(stored))
        return self.folder / f"{found.hexdigest()}.npz"


def _load(path, shape):
    try:
        maps = load_npz(path).get("maps")
        if maps is None or maps.shape != shape or maps.dtype != np.complex64:
            found = None if maps is None else (maps.shape, str(maps.dtype))
            raise BadFileError(
                path, f"Expected complex64 maps {shape}. Received: {found}"
            )
    except BadFileError as error:
        advice = "Delete the file to estimate the maps again"
        raise BadFileError(path, f"{error.reason}. {advice}") from error
    return maps
