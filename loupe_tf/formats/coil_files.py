"""One slice of several coils, in files of arrays."""

import pathlib

import numpy as np

from loupe_tf.formats.cfl import read_cfl
from loupe_tf.formats.mask_arrays import open_hdf5


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
        array = np.load(path, allow_pickle=False)
    elif path.suffix in (".cfl", ".hdr"):
        array = np.moveaxis(read_cfl(path), -1, 0)
    else:
        import h5py  # The rest of this package needs NumPy alone.

        with open_hdf5(path) as file:
            if not isinstance(file.get(key or ""), h5py.Dataset):
                raise ValueError(
                    "Invalid value for argument `key`. Expected one of the "
                    f"arrays of {path}, {sorted(file)}. Received: key={key!r}"
                )
            array = file[key][()]
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
