"""One slice of several coils, in files of arrays."""

import pathlib

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.checks import invalid
from loupe_tf.formats.kspace_files import kind_of, open_bart
from loupe_tf.formats.kspace_volume import check_finite


def load_coils(path, key=None):
    """Load the k-space of one slice, measured by several coils.

    For files that do not say what they hold, beside an array; see `load_kspace`
    for those of scanners, whole volumes and slice by slice. Axes of length 1
    are left out, and an array of two axes is that of one coil.

    | file | array |
    |---|---|
    | `.npy` | `(coils, H, W)` |
    | BART's `.cfl`, `.hdr` | as `load_kspace` has it, of one slice: `(H, W, 1, coils)` |
    | HDF5 | `key`, `(coils, H, W)` |
    | MATLAB's `.mat` of version 7.3, which is HDF5 | `key`, an array `(W, H, coils)` in MATLAB, where the first axis is the fastest |

    Args:
        path: Path of the file.
        key: String, which array of an HDF5 file; one in a group is
            `"group/name"`.

    Returns:
        Complex64 array `(coils, H, W)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, which it names, has no such array,
            or it is not complex, not finite or of another shape.

    Example:

    >>> kspace = loupe_tf.formats.load_coils("raw_data.mat", "raw")
    """  # noqa: E501
    path = pathlib.Path(path).expanduser()
    kind = kind_of(path)
    if kind == "hdf5":
        array = _hdf5_array(path, key)
    elif key is not None:
        raise invalid("key", f"None for {path}, which is one array", key)
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
