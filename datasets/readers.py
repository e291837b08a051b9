"""Reading a user's own volumes: NIfTI, DICOM, fastMRI's HDF5, NumPy."""

import dataclasses
import fnmatch
import os
import pathlib
import struct
import zlib

import numpy as np

from loupe_tf.datasets.fastmri_file import FastmriFile
from loupe_tf.datasets.volume_header import Header
from loupe_tf.datasets.volume_reader import BadVolumeError

NIFTI = (".nii", ".nii.gz")
DICOM = (".dcm", ".ima")
HDF5 = (".h5", ".hdf5")
NUMPY = (".npy",)
# Through-plane spacing that makes an axis the slice axis without being told.
THICKER = 1.2
# What the libraries raise for files that are no good.
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@dataclasses.dataclass(frozen=True)
class Volume:
    """A volume of magnitude images and what its file says about it.

    Args:
        images: float32 array of shape `(slices, H, W)`, finite, in the units of
            the file, with a maximum above 0.
        stored: String, the type of the numbers in the file, such as `"uint16"`.
        patient: String, the patient, `""` where the file does not say.
        acquisition: String, the sequence, `""` where the file does not say.
        spacing: Tuple of three floats, the distance between slices, rows and
            columns in mm, or `None` where the file does not say.
        source: String, `"magnitude_image"`, `"raw_multicoil"`,
            `"emulated_singlecoil"` or `"simulated"`.
        combined_by: String, how coils were combined: `"none"`, `"rss"`,
            `"emulated_singlecoil"` or `"unknown"`.
    """

    images: np.ndarray
    stored: str
    patient: str = ""
    acquisition: str = ""
    spacing: tuple | None = None
    source: str = "magnitude_image"
    combined_by: str = "unknown"


def find_volumes(folder, include="*", exclude=None):
    """Lists the volumes in a folder and the folders below it.

    Args:
        folder: Path of a folder.
        include: Pattern, or list of patterns, as those of a shell, of the
            paths relative to `folder`: `"*FLAIR*"`, `"patient0?/*.nii.gz"`.
            `*` matches any text, `/` too.
        exclude: Pattern or list of patterns that leave volumes out again.

    Returns:
        A sorted list of relative paths with `/`: files that end in `.nii`,
        `.nii.gz`, `.h5`, `.hdf5` or `.npy`, and folders that hold DICOM files
        (those that end in `.dcm` or `.ima`, or have the mark of DICOM and no
        ending), each of which is one volume.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(
            "Invalid value for argument `folder`. Expected an existing folder. "
            f"Received: folder={folder}"
        )
    found = []
    for parent, _, files in os.walk(folder):
        parent = pathlib.Path(parent)
        found += [
            parent / name
            for name in files
            if _ends_in(name, NIFTI + HDF5 + NUMPY)
        ]
        if any(_is_dicom(parent / name) for name in files):
            found.append(parent)
    names = [path.relative_to(folder).as_posix() for path in found]
    names = [name for name in names if _matches(name, include)]
    if exclude is not None:
        names = [name for name in names if not _matches(name, exclude)]
    return sorted(names)


def read_volume(path, slice_axis=None):
    """Reads one volume.

    Args:
        path: Path of a file, or of a folder of DICOM files of one series.
        slice_axis: `None` or 0, 1 or 2, the axis of a NIfTI file that counts
            slices. By default the axis along which voxels are longest, if they
            are longer than along both others by a fifth, else the last. The
            other two axes stay in their order.

    Returns:
        A `Volume`. Complex values become magnitudes.

    Raises:
        BadVolumeError: If the file is truncated or unreadable, has another
            shape, holds values that are not finite, or none above 0.
        ImportError: If the library that reads the format is not installed.
    """
    volume = _call(path, "read", slice_axis)
    images = volume.images
    if np.iscomplexobj(images):
        images = np.abs(images)
    with np.errstate(over="ignore"):  # Found below, as infinity.
        images = np.ascontiguousarray(images, dtype="float32")
    if not np.isfinite(images).all():
        raise _bad(
            path,
            "Expected finite values. Received: "
            f"{np.sum(~np.isfinite(images))} that are not",
        )
    if images.max() <= 0:
        raise _bad(
            path, f"Expected a maximum above 0. Received: {images.max()}"
        )
    return dataclasses.replace(volume, images=images)


def read_header(path, slice_axis=None):
    """Reads what is known of a volume without its images.

    Args:
        path, slice_axis: As those of `read_volume`.

    Returns:
        A `Header`, the named tuple `(shape, patient, spacing)`.
    """
    return _call(path, "header", slice_axis)


def _call(path, what, slice_axis):
    """Calls the reader of a format, whose errors become `BadVolumeError`."""
    if slice_axis not in (None, 0, 1, 2):
        raise ValueError(
            "Invalid value for argument `slice_axis`. Expected `None`, 0, 1 or "
            f"2. Received: slice_axis={slice_axis}"
        )
    path = pathlib.Path(path)
    if not path.exists():
        raise _bad(path, "Expected an existing file. Received: none")
    read = _format_of(path)
    try:
        return read(path, what, slice_axis)
    except BadVolumeError:
        raise
    except UNREADABLE as error:
        raise _bad(
            path,
            "Expected a file that can be read. Received: "
            f"{type(error).__name__}: {error}",
        ) from error


def _format_of(path):
    for suffixes, read in ((NIFTI, _nifti), (HDF5, _hdf5), (NUMPY, _numpy)):
        if path.is_file() and _ends_in(path.name, suffixes):
            return read
    if path.is_dir() or _is_dicom(path):
        return _dicom
    raise _bad(
        path,
        "Expected NIfTI (.nii, .nii.gz), a folder of DICOM files, fastMRI's "
        "HDF5 (.h5) or NumPy (.npy). Received: another kind of file",
    )


def _nifti(path, what, slice_axis):
    nibabel = _import("nibabel", "NIfTI files")
    try:
        image = nibabel.load(path)
    except nibabel.filebasedimages.ImageFileError as error:
        raise _bad(path, f"Expected a NIfTI file. Received: {error}") from error
    shape = image.shape
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    _check_shape(path, shape)
    spacing = tuple(float(s) for s in image.header.get_zooms()[:3])
    if slice_axis is None:
        order = np.argsort(spacing)
        thickest = spacing[order[2]] > THICKER * spacing[order[1]]
        slice_axis = int(order[2]) if thickest else 2
    order = (slice_axis, *(axis for axis in range(3) if axis != slice_axis))
    if what == "header":
        return Header(
            tuple(shape[axis] for axis in order),
            spacing=tuple(spacing[axis] for axis in order),
        )
    # `dataobj` applies the slope and the intercept of the header.
    images = np.asarray(image.dataobj).reshape(shape).transpose(order)
    return Volume(
        images=images,
        stored=str(image.get_data_dtype()),
        acquisition=_text(image.header.get("descrip", b"")),
        spacing=tuple(spacing[axis] for axis in order),
    )


def _dicom(path, what, slice_axis):
    del slice_axis  # Each file is a slice.
    pydicom = _import("pydicom", "DICOM files")
    files = [path] if path.is_file() else sorted(path.iterdir())
    files = [file for file in files if _is_dicom(file)]
    if not files:
        raise _bad(path, "Expected DICOM files. Received: none")
    header_only = what == "header"
    try:
        slices = [
            pydicom.dcmread(file, stop_before_pixels=header_only)
            for file in files
        ]
    except pydicom.errors.InvalidDicomError as error:
        raise _bad(path, f"Expected DICOM files. Received: {error}") from error
    first = slices[0]
    if int(first.get("NumberOfFrames", 1)) > 1:
        raise _bad(
            path,
            "Expected one image in each DICOM file. "
            f"Received: {first.NumberOfFrames} frames in a file",
        )
    patient = _text(first.get("PatientID", ""))
    for key in ("SeriesInstanceUID", "PatientID", "Rows", "Columns"):
        values = {str(s.get(key, "")) for s in slices}
        if len(values) > 1:
            raise _bad(
                path,
                f"Expected files of one series, with one {key}. "
                f"Received: {sorted(values)}",
            )
    positions = _positions(slices)
    steps = np.diff(np.sort(positions))
    if np.any(steps < 1e-4):
        raise _bad(
            path,
            "Expected one image at each position. Received: "
            f"{len(slices)} files at {1 + np.sum(steps >= 1e-4)} positions",
        )
    between = float(np.median(steps)) if len(steps) else None
    between = between or float(first.get("SliceThickness") or 0)
    in_plane = first.get("PixelSpacing")
    spacing = (between, *map(float, in_plane)) if in_plane else None
    if header_only:
        shape = len(files), int(first.Rows), int(first.Columns)
        return Header(shape, patient, spacing)
    order = np.argsort(positions)
    images = np.stack([_pixels(slices[i]) for i in order])
    return Volume(
        images=images,
        stored=f"uint{first.get('BitsStored', first.BitsAllocated)}",
        patient=patient,
        acquisition=_text(
            first.get("SeriesDescription", "") or first.get("ProtocolName", "")
        ),
        spacing=spacing,
    )


def _positions(slices):
    """Where each slice lies along the normal of the first one, in mm."""
    orientation = slices[0].get("ImageOrientationPatient")
    places = [s.get("ImagePositionPatient") for s in slices]
    if orientation is None or any(place is None for place in places):
        return np.array([float(s.InstanceNumber) for s in slices])
    row, column = np.reshape(np.array(orientation, "float64"), (2, 3))
    return np.array(places, "float64") @ np.cross(row, column)


def _pixels(dataset):
    if int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise ValueError("Expected grey values, one sample a pixel")
    # Some manufacturers give each slice a slope of its own.
    slope = float(dataset.get("RescaleSlope", 1) or 1)
    return dataset.pixel_array * slope + float(
        dataset.get("RescaleIntercept", 0) or 0
    )


def _hdf5(path, what, slice_axis):
    del slice_axis  # The first, by definition.
    with FastmriFile(path) as file:
        if what == "header":
            return Header(file.target_shape, file.patient, file.voxel_size)
        multicoil = file.target_name == "reconstruction_rss"
        source = "raw_multicoil" if multicoil else "emulated_singlecoil"
        return Volume(
            images=file.target(),
            stored="float32",
            patient=file.patient,
            acquisition=file.acquisition,
            spacing=file.voxel_size,
            source="simulated" if file.simulated else source,
            combined_by="rss" if multicoil else "emulated_singlecoil",
        )


def _numpy(path, what, slice_axis):
    del slice_axis  # The first, by definition.
    images = np.load(path, mmap_mode="r", allow_pickle=False)
    if images.dtype.kind not in "buifc":
        raise _bad(path, f"Expected numbers. Received: dtype={images.dtype}")
    shape = images.shape
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    _check_shape(path, shape)
    if what == "header":
        return Header(shape)
    return Volume(images=images.reshape(shape), stored=str(images.dtype))


def _check_shape(path, shape):
    if len(shape) != 3 or 0 in shape:
        raise _bad(
            path,
            "Expected three axes, none of them empty. "
            f"Received: shape={tuple(shape)}",
        )


def _bad(path, reason):
    return BadVolumeError(path, f"{reason}.")


def _import(name, what):
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(
            f"Reading {what} requires {name}. Install it with: "
            'pip install "loupe-tf[volumes]"'
        ) from error


def _is_dicom(path):
    if _ends_in(path.name, DICOM):
        return path.is_file()
    if path.suffix and not path.suffix[1:].isdigit():
        return False
    # Many DICOM files have no ending, or end in their number.
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _ends_in(name, suffixes):
    return name.lower().endswith(suffixes) and not name.startswith(".")


def _matches(name, patterns):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _text(value):
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return str(value).strip("\0 ")
