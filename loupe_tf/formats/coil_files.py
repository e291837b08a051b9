"""Read one slice of several coils from a file of arrays."""

import pathlib

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.checks import invalid
from loupe_tf.formats.kspace_files import kind_of, open_bart
from loupe_tf.formats.kspace_volume import check_finite


def load_coils(path, key=None):
    """Load the k-space of one slice, measured by several coils.

    This function is for files that hold only an array, without a description.
    `load_kspace` reads the files of scanners, as whole volumes and slice by
    slice. Axes of length 1 are dropped. An array of two axes has one coil.

    | file | array |
    |---|---|
    | `.npy` | `(coils, H, W)` |
    | BART's `.cfl`, `.hdr` | one slice, as for `load_kspace`: `(H, W, 1, coils)` |
    | HDF5 | `key`, `(coils, H, W)` |
    | MATLAB's `.mat` of version 7.3, which is HDF5 | `key`, an array `(W, H, coils)` in MATLAB, where the first axis is the fastest |

    Args:
        path: Path of the file.
        key: String, name of the array in an HDF5 file, or `"group/name"` for an
            array in a group.

    Returns:
        Complex64 array `(coils, H, W)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or has no such array, or if the array
            is not complex, not finite or of another shape. The message names
            the file.

    Example:

    >>> kspace = loupe_tf.formats.load_coils("raw_data.mat", "raw")
    """  # noqa: E501
    path = pathlib.Path(path).expanduser()
    kind = kind_of(path)
    if kind == "hdf5":
        array = _hdf5_array(path, key)
    elif key is not None:
        raise invalid("key", f"None for {path}, which holds one array", key)
    elif kind == "bart":
        with open_bart(path) as volume:
            if len(volume) > 1:
                raise reading.BadFileError(
                    path,
                    "Expected one slice. Received: k-space (slices, coils, H, "
                    f"W) of shape {volume.shape}",
                )
            return volume[0].copy()
    else:
        array = reading.load_npy(path)
    if array.dtype.names == ("real", "imag"):  # MATLAB's
        pair, array = array, np.empty(array.shape, np.complex64)
        with np.errstate(over="ignore"):
            array.real, array.imag = pair["real"], pair["imag"]
    if array.ndim > 3:
        array = array.squeeze()
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not array.size or not np.iscomplexobj(array):
        raise reading.BadFileError(
            path,
            "Expected complex k-space (coils, H, W). "
            f"Received: shape {array.shape}, dtype {array.dtype}",
        )
    with np.errstate(over="ignore"):
        array = array.astype(np.complex64, copy=False)
    check_finite(path, array)
    return array


def _hdf5_array(path, key):
    with hdf5.open_hdf5(path) as file:
        dataset = None
        if isinstance(key, str):
            dataset = hdf5.hdf5_dataset(file, key.strip("/"))
        if dataset is None:
            found = hdf5.hdf5_names(file)
            raise invalid("key", f"one of the arrays of {path}, {found}", key)
        return np.asarray(hdf5.read_hdf5(dataset))
