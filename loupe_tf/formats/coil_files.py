"""One slice of several coils, in files of arrays."""

import pathlib

import numpy as np

from loupe_tf import reading
from loupe_tf.formats.cfl import read_cfl


def load_coils(path, key=None):
    """Load the k-space of one slice, measured by several coils.

    For files that do not say what they hold, beside an array; see `load_kspace`
    for those of scanners, whole volumes and slice by slice.

    Args:
        path: Path of a `.npy`, of BART's `.cfl` and `.hdr`, whose axes are
            (H, W, 1, coils), or of an HDF5 file. Axes of length 1 are left out.
            MATLAB writes HDF5 as version 7.3, with complex numbers as pairs.
        key: String, which array of an HDF5 file.

    Returns:
        Complex64 array `(coils, H, W)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has no such array, or it is not complex or of
            another shape.

    Example:

    >>> kspace = loupe_tf.formats.load_coils("raw_data.mat", "raw")
    """
    path = pathlib.Path(path).expanduser()
    if path.suffix == ".npy":
        array = reading.load_npy(path)
    elif path.suffix in (".cfl", ".hdr"):
        array = np.moveaxis(read_cfl(path), -1, 0)
    else:
        with reading.open_hdf5(path) as file:
            dataset = key and reading.hdf5_dataset(file, key)
            if not dataset:
                raise ValueError(
                    "Invalid value for argument `key`. Expected one of the "
                    f"arrays of {path}, {reading.hdf5_names(file)}. "
                    f"Received: key={key!r}"
                )
            array = reading.read_hdf5(dataset)
    if array.dtype.names == ("real", "imag"):  # MATLAB's
        array = array["real"] + 1j * array["imag"]
    singles = [axis for axis, n in enumerate(array.shape) if n == 1]
    array = array.squeeze(tuple(singles))
    if array.ndim != 3 or not np.iscomplexobj(array):
        raise ValueError(
            f"Invalid file {path}. Expected complex k-space (coils, H, W). "
            f"Received: shape {array.shape}, dtype {array.dtype}"
        )
    return array.astype(np.complex64)
