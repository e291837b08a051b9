"""Read noise that was measured without excitation."""

import pathlib

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.cfl import read_cfl
from loupe_tf.formats.kspace_files import COILS, kind_of
from loupe_tf.formats.kspace_ismrmrd import count_coils
from loupe_tf.formats.kspace_volume import check_finite
from loupe_tf.ismrmrd_file import has_flags, import_ismrmrd
from loupe_tf.reading import BadFileError


def load_noise(path):
    """Load the noise samples of all coils, for `Prewhitened`.

    | file | noise |
    |---|---|
    | ISMRMRD | the acquisitions flagged `ACQ_IS_NOISE_MEASUREMENT`, in a scan or in a file of their own |
    | `.npy` | complex array `(coils, ...)` |
    | BART's `.cfl`, `.hdr` | all samples, coils in dimension 3 |

    Args:
        path: Path of the file.

    Returns:
        Complex64 array `(coils, n)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or has no noise. The message names
            the file.

    Example:

    >>> noise = loupe_tf.formats.load_noise("noise.npy")
    """  # noqa: E501
    path = pathlib.Path(path).expanduser()
    kind = kind_of(path)
    if kind == "hdf5":
        noise = _of_ismrmrd(path)
    elif kind == "npy":
        noise = reading.load_npy(path)
    else:
        noise = read_cfl(path)
        noise = np.moveaxis(noise, COILS, 0) if noise.ndim > COILS else None
    if noise is None or noise.ndim < 2 or not np.iscomplexobj(noise):
        raise BadFileError(
            path,
            "Expected complex noise of several coils, (coils, ...). Received: "
            + ("one coil" if noise is None else f"{noise.dtype} {noise.shape}"),
        )
    with np.errstate(over="ignore"):
        noise = noise.reshape(len(noise), -1).astype(np.complex64)
    if noise.size:
        check_finite(path, noise)
    return noise


def count_noise(path):
    """Return the number of noise acquisitions; 0 in files other than ISMRMRD.

    Args:
        path: Path of a file of k-space.
    """
    path = pathlib.Path(path).expanduser()
    if kind_of(path) != "hdf5":
        return 0
    with hdf5.open_hdf5(path) as file:
        if hdf5.hdf5_dataset(file, "dataset/xml") is None:
            return 0
        return len(_acquisitions(path, file)[1])


def _acquisitions(path, file):
    """The data set, and the indices of the noise in it."""
    data = hdf5.hdf5_dataset(file, "dataset/data")
    if data is None:
        raise BadFileError(
            path,
            "Expected ISMRM raw data, whose acquisitions may be noise. "
            f"Received: HDF5 with {hdf5.hdf5_names(file)}",
        )
    with reading.naming(path, "ISMRM raw data"):
        heads = np.atleast_1d(hdf5.read_hdf5(data, field="head"))
        flag = import_ismrmrd().ACQ_IS_NOISE_MEASUREMENT
        found = np.flatnonzero(has_flags(heads, [flag]))
    return data, found, heads[found]


def _of_ismrmrd(path):
    with hdf5.open_hdf5(path) as file:
        data, numbers, heads = _acquisitions(path, file)
        if not len(numbers):
            raise BadFileError(
                path,
                "Expected acquisitions flagged ACQ_IS_NOISE_MEASUREMENT. "
                "Received: none",
            )
        with reading.naming(path, "ISMRM raw data"):
            coils = count_coils(path, heads)
            samples = int(heads["number_of_samples"].astype(int).sum())
            reading.check_memory(path, 2 * 8 * coils * samples)
            noise = [
                # The file has floats, real and imaginary parts in turn.
                data[n]["data"].view(np.complex64).reshape(coils, -1)
                for n in numbers
            ]
            return np.concatenate(noise, axis=1)
