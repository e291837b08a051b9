"""Read a user's own volumes: NIfTI, DICOM, fastMRI's HDF5, NumPy."""

import collections
import dataclasses
import fnmatch
import math
import os
import pathlib
import warnings
from functools import partial

import numpy as np

from loupe_tf.checks import check_choice, invalid
from loupe_tf.datasets.building.dicom_file import holds_image, is_dicom
from loupe_tf.datasets.building.dicom_reader import open_dicom
from loupe_tf.datasets.building.fastmri_reader import open_fastmri
from loupe_tf.datasets.building.nifti_reader import is_nifti, open_nifti
from loupe_tf.datasets.building.numpy_reader import open_numpy
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.reading import check_file, check_memory, naming

HDF5 = (".h5", ".hdf5")
NUMPY = (".npy",)
# Maximum bytes per voxel while a volume is read: up to two float64 values,
# from the file and after the slope was applied, and the float32 result.
BYTES_A_VOXEL = 20
# Interpolation undershoots by a few per cent; magnitudes have no more.
UNDERSHOOT = 0.1


def find_volumes(folder, include="*", exclude=None):
    """List the volumes in a folder and its subfolders.

    Links to folders are followed; a folder that can be reached by several
    paths counts once. Other files are skipped and listed in one warning.

    Args:
        folder: Path of a folder.
        include: Shell pattern or list of patterns for the paths relative to
            `folder`: `"*FLAIR*"`, `"patient0?/*.nii.gz"`. `*` matches any
            text, including `/`.
        exclude: Pattern or list of patterns of volumes to exclude.

    Returns:
        A sorted list of relative paths with `/`: files that end in `.nii`,
        `.nii.gz`, `.h5`, `.hdf5` or `.npy`, pairs of `.hdr` and `.img` (listed
        as `.img`), and folders with DICOM images under any names. Each of them
        is one volume.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise invalid("folder", "an existing folder", str(folder))
    found, others, seen = [], [], set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        parent = pathlib.Path(parent)
        slices = []
        for name in sorted(files):
            path = parent / name
            if name.startswith("."):
                continue
            if name.lower().endswith(HDF5 + NUMPY):
                found.append(path)
            elif is_dicom(path):
                slices.append(path)
            elif is_nifti(path):
                # A pair counts once.
                if not name.lower().endswith((".hdr", ".hdr.gz")):
                    found.append(path)
            else:
                others.append(path)
        if any(holds_image(path) for path in slices):
            found.append(parent)
        else:
            others += slices

    def chosen(paths):
        names = [path.relative_to(folder).as_posix() for path in paths]
        names = [name for name in names if _matches(name, include)]
        if exclude is not None:
            names = [name for name in names if not _matches(name, exclude)]
        return sorted(names)

    _tell_left_out(folder, chosen(others))
    return chosen(found)


def read_volume(path, slice_axis=None, complex_images=False):
    """Read one volume.

    Args:
        path: Path of a file, or of a folder of DICOM files of one series.
        slice_axis: `None` or 0, 1 or 2, the slice axis of a NIfTI file. The
            default is the only axis of length 1, if there is one, else the
            axis with the longest voxels, if they are longer by a fifth than
            along both other axes, else the last axis. The other two axes keep
            their order. For DICOM, the axes are counted alike: 0 is along the
            width (columns) of the images of the series, 1 along their height
            (rows), and 2, the default, across them. 0 and 1 are for 3-D scans.
            Other files do not have a choice.
        complex_images: Boolean. `False` takes the magnitudes of complex
            values. `True` keeps their phase, and refuses files without one.

    Returns:
        A `Volume`, whose `source` says if complex values became magnitudes.

    Raises:
        BadVolumeError: If the file is truncated or unreadable, has another
            shape, needs more memory than `loupe_tf.formats.memory_limit`, or
            contains values that are not finite, no value above 0, or negative
            values that do not occur in magnitudes; if a `slice_axis` is not
            possible. With `complex_images`, if
            its values are not complex.
        ImportError: If the library that reads the format is not installed.
    """
    kind, open_volume = _format_of(path, slice_axis)
    with naming(path, kind, BadVolumeError):
        header, read = open_volume()
        if complex_images:
            check_complex(path, header)
        nbytes = BYTES_A_VOXEL * math.prod(header.shape)
        nbytes *= 2 if header.is_complex else 1
        check_memory(path, nbytes, BadVolumeError)
        volume = read()
        images, source, dtype = volume.images, volume.source, "float32"
        if complex_images:
            source, dtype = "complex_image", "complex64"
        elif np.iscomplexobj(images):
            images, source = np.abs(images), "magnitude_of_complex"
        with np.errstate(over="ignore"):  # Found below, as infinity.
            images = np.ascontiguousarray(images, dtype=dtype)
        magnitudes = np.abs(images) if complex_images else images
        lowest, highest = magnitudes.min(), magnitudes.max()
        # Minimum and maximum are NaN if any value is.
        if not np.isfinite([lowest, highest]).all():
            raise BadVolumeError(
                path,
                "Expected finite values. Received: "
                f"{np.sum(~np.isfinite(magnitudes))} that are not.",
            )
        if highest <= 0:
            raise BadVolumeError(
                path, f"Expected a maximum above 0. Received: {highest}."
            )
        if lowest < -UNDERSHOOT * highest:
            raise BadVolumeError(
                path,
                "Expected magnitudes, which are not negative. Received: values "
                f"from {lowest:g} to {highest:g}, as in phases, maps and "
                "normalized images; skip such files with `exclude`.",
            )
        if lowest < 0:
            source = "signed_image"
        return dataclasses.replace(volume, images=images, source=source)


def read_header(path, slice_axis=None):
    """Read the header of a volume, without its images.

    Args:
        path, slice_axis: As in `read_volume`.

    Returns:
        A `Header`, the named tuple `(shape, patient, spacing, phase_axis,
        is_complex)`.
    """
    kind, open_volume = _format_of(path, slice_axis)
    with naming(path, kind, BadVolumeError):
        return open_volume()[0]


def check_complex(path, header):
    """Refuse a volume without a phase.

    Args:
        path: The volume, for the error.
        header: Its `Header`.

    Raises:
        BadVolumeError: If its values are not complex.
    """
    if not header.is_complex:
        raise BadVolumeError(
            path,
            "Expected complex values, because of `complex_images`. Received: "
            "real ones, which have no phase.",
        )


def _format_of(path, slice_axis):
    """Return the expected format, in words, and the function that opens it.

    That function returns a `Header` and a function that reads the `Volume`.
    """
    check_choice("slice_axis", slice_axis, (None, 0, 1, 2))
    path = pathlib.Path(path)
    if path.is_dir():
        return "DICOM files of one series", partial(
            open_dicom, path, slice_axis
        )
    if not path.exists():
        raise BadVolumeError(path, "Expected an existing file. Received: none.")
    check_file(path, BadVolumeError)
    name = path.name.lower()
    if name.endswith(HDF5):
        return "an HDF5 file of fastMRI", partial(open_fastmri, path)
    if name.endswith(NUMPY):
        return "an array in a .npy file", partial(open_numpy, path)
    if is_dicom(path):
        return "a DICOM file", partial(open_dicom, path, slice_axis)
    if is_nifti(path):
        return "a NIfTI file", partial(open_nifti, path, slice_axis)
    raise BadVolumeError(
        path,
        "Expected NIfTI (.nii, .nii.gz, .hdr with .img), DICOM, fastMRI's HDF5 "
        "(.h5) or NumPy (.npy). Received: another kind of file. Raw k-space of "
        "ISMRMRD, BART or Siemens goes to `loupe-tf reconstruct`.",
    )


def _tell_left_out(folder, names):
    """Warn once about all files that are not volumes, grouped by suffix."""
    if not names:
        return
    endings = collections.defaultdict(list)
    for name in names:
        endings[pathlib.PurePosixPath(name).suffix].append(name)
    several = ", ".join(
        each[0] if len(each) == 1 else f"{each[0]} and {len(each) - 1} like it"
        for each in endings.values()
    )
    warnings.warn(
        f"Skipped {len(names)} files in {folder} that are not volumes: "
        f"{several}.",
        stacklevel=3,
    )


def _matches(name, patterns):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
