"""Read raw k-space from the files of scanners and toolboxes."""

import contextlib
import functools
import pathlib

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.cfl import read_cfl
from loupe_tf.checks import check_options, invalid
from loupe_tf.formats.fastmri_file import FastmriFile
from loupe_tf.formats.kspace_ismrmrd import open_ismrmrd
from loupe_tf.formats.kspace_volume import COPIES, KspaceVolume
from loupe_tf.numpy_fourier import ifftc

# Dimensions of BART that k-space may have: read-out, two phase encodings,
# coils and slices.
READ, PHASE_1, PHASE_2, COILS, SLICES = 0, 1, 2, 3, 13
MATLAB = (
    "a MATLAB file of a version before 7.3. In Python: numpy.save("
    "'scan.npy', scipy.io.loadmat('scan.mat')['data'].T)"
)
SIEMENS = (
    "another kind of file. Convert Siemens raw data to ISMRMRD with: "
    "siemens_to_ismrmrd -f meas.dat -o scan.mrd"
)


def load_kspace(path, **options):
    """Open raw k-space to read it slice by slice.

    | file | holds | options |
    |---|---|---|
    | fastMRI's HDF5 | `kspace`, `(slices, H, W)` or `(slices, coils, H, W)` | |
    | ISMRMRD | acquisitions, sorted into lines | `lines`, `encoding`, `select` |
    | BART's `.cfl`, `.hdr` | dimensions 0, 1, 2, 3 and 13: read-out, two phase encodings, coils, slices | |
    | `.npy` | complex array of 2, 3 or 4 axes | `leading` |

    The suffix identifies BART files, the content all others. K-space is
    orthonormal, with DC at `(H // 2, W // 2)`, in the unit of the file.

    **ISMRMRD.** Encoding counters are shifted so that the centre of the limits
    is at `N // 2`. Asymmetric echoes are zero-filled. Oversampled read-outs are
    cropped in image space to the reconstructed field of view, unless that was
    done already. Acquisitions of the same line, such as averages and segments,
    are averaged. Only number 0 of the repetitions, contrasts, cardiac phases
    and sets is read, unless `select` names another. Acquisitions whose flags
    say that they are not part of the image are left out. Reversed and
    compressed read-outs are refused, and so are headers that contradict the
    acquisitions. Slices are in the order of their positions. The guide has a
    table of all elements.

    **3-D scans** with two phase encodings, in ISMRMRD and BART, are
    transformed along the read-out, whose points become the slices. `H` and `W`
    are the two phase encodings, as in a mask of points.

    Args:
        path: Path of the file.
        **options: The options in the table.
            `lines`: `"columns"` (the default) or `"rows"`, the kind of lines.
            The read-out is along the other axis.
            `encoding`: Integer, the number of the encoding space. Defaults
            to 0.
            `select`: Dictionary of integers by `"repetition"`, `"contrast"`,
            `"phase"` or `"set"`, such as `{"contrast": 1}`.
            `leading`: `"coils"` or `"slices"`, the meaning of the first of
            three axes.

    Returns:
        A `KspaceVolume` of shape `(slices, coils, H, W)`, with `coils` 1 for a
        single coil. It is a context manager.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the package `ismrmrd` is missing (the extra `export`).
        ValueError: If the file is damaged or of another kind, in which case the
            message names it, or if an option is invalid.

    Example:

    ```python
    with loupe_tf.formats.load_kspace("scan.h5") as volume:
        image = loupe_tf.reconstruct(model, volume, mask)
    ```
    """  # noqa: E501
    path = pathlib.Path(path)
    name, open_ = _format(path)
    check_options(f"the format {name!r}", open_, options)
    return open_(path, **options)


def four_axes(shape, leading):
    """Return the shape `(slices, coils, H, W)` of k-space with fewer axes.

    Args:
        shape: Tuple of 2 to 4 integers.
        leading: `"coils"` or `"slices"`, the meaning of the first of three
            axes; `None` if there are not three.

    Raises:
        ValueError: If there are other axes, or if `leading` does not fit them.
    """
    if leading not in (None, "coils", "slices") or (
        (leading is None) == (len(shape) == 3)
    ):
        raise invalid(
            "leading",
            "'coils' or 'slices' for k-space with three axes, to say what the "
            "first one counts, and None otherwise",
            found=f"leading={leading!r}, shape={tuple(shape)}",
        )
    if not 2 <= len(shape) <= 4 or 0 in shape:
        raise invalid(
            "kspace",
            "shape (H, W), (coils, H, W), (slices, H, W) or (slices, coils, H, "
            "W)",
            found=f"shape={tuple(shape)}",
        )
    *first, height, width = shape
    first = [1] * (2 - len(first)) + first
    return (*(first[::-1] if leading == "slices" else first), height, width)


def kind_of(path):
    """Return the kind of a file: `"bart"`, `"npy"` or `"hdf5"`.

    Raises:
        FileNotFoundError: If there is no such file.
        BadFileError: If the file is of another kind.
    """
    if path.suffix.lower() in (".cfl", ".hdr"):
        return "bart"
    reading.check_file(path)
    with open(path, "rb") as file:
        start = file.read(10)
    if start.startswith(b"\x93NUMPY"):
        return "npy"
    if hdf5.is_hdf5(path):
        return "hdf5"
    found = SIEMENS if path.suffix.lower() == ".dat" else "another kind of file"
    raise reading.BadFileError(
        path,
        "Expected HDF5 (fastMRI, ISMRMRD), .npy or BART's .cfl. Received: "
        f"{MATLAB if start == b'MATLAB 5.0' else found}",
    )


def _format(path):
    """Return the name of the format and the function that opens it."""
    kind = kind_of(path)
    if kind == "hdf5":
        with hdf5.open_hdf5(path) as file:
            if hdf5.hdf5_dataset(file, "dataset/xml") is not None:
                return "ismrmrd", open_ismrmrd
            if hdf5.hdf5_dataset(file, "kspace") is not None:
                return "fastmri", open_fastmri
            raise reading.BadFileError(
                path,
                "Expected fastMRI's `kspace` or ISMRMRD's `dataset`. Received: "
                f"HDF5 with {hdf5.hdf5_names(file)}. Read one slice with "
                "`loupe_tf.formats.load_coils(path, key)`, numpy.save it, and "
                "use leading='coils' (--leading coils)",
            )
    return kind, {"bart": open_bart, "npy": open_npy}[kind]


def open_fastmri(path):
    """Open the k-space of a fastMRI file."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(FastmriFile(path))
        shape = file.kspace_shape
        if len(shape) == 3:
            shape = four_axes(shape, "slices")
        height, width, spacing = file.field_of_view or (None,) * 3
        return KspaceVolume(
            path,
            shape,
            lambda i: file.kspace(i).reshape(shape[1:]),
            stack.pop_all().close,
            height and (height, width),
            spacing,
        )


def open_bart(path):
    """Open the k-space of BART's pair of files."""
    array = read_cfl(path, memory_map=True)
    sizes = array.shape + (1,) * (16 - array.ndim)
    known = (READ, PHASE_1, PHASE_2, COILS, SLICES)
    others = {i: n for i, n in enumerate(sizes) if n > 1 and i not in known}
    if others or sizes[PHASE_2] > 1 < sizes[SLICES]:
        raise reading.BadFileError(
            path,
            "Expected k-space in the dimensions 0, 1, 2, 3 (coils) and 13 "
            "(slices), but not in both 2 and 13. Received: dimensions "
            f"{sizes}",
        )
    array = array.reshape([sizes[axis] for axis in known], order="F")
    if sizes[PHASE_2] > 1:
        # (read, y, z, coils): one slice for each point of the read-out.
        array = np.moveaxis(array[..., 0], -1, 1)
        # The transform makes copies of the array.
        reading.check_memory(path, COPIES * array.nbytes)
        slab = functools.cache(lambda: ifftc(array, axes=(0,)))
        return KspaceVolume(path, array.shape, lambda i: slab()[i])
    array = array[:, :, 0].transpose(3, 2, 0, 1)
    return KspaceVolume(path, array.shape, array.__getitem__)


def open_npy(path, leading=None):
    """Open the k-space of a NumPy file."""
    array = reading.load_npy(path, memory_map=True)
    if array.dtype.kind != "c":
        raise reading.BadFileError(
            path,
            "Expected complex k-space. Received: "
            f"dtype={array.dtype}, shape={array.shape}",
        )
    try:
        shape = four_axes(array.shape, leading)
    except ValueError as error:
        raise reading.BadFileError(path, error) from error
    array = array.reshape(shape)
    return KspaceVolume(path, shape, array.__getitem__)
