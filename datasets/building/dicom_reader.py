"""Read volumes from DICOM: a series in a folder, or one file."""

import math
import warnings

import numpy as np

from loupe_tf.datasets.building.dicom_file import (
    class_of,
    is_dicom,
    is_image,
    read_dicom,
    read_pixels,
)
from loupe_tf.datasets.building.dicom_frame import DicomFrame
from loupe_tf.datasets.building.dicom_stack import check_same, order_of_slices
from loupe_tf.datasets.building.volume import Volume
from loupe_tf.datasets.building.volume_header import Header
from loupe_tf.datasets.building.volume_reader import check_shape, import_extra
from loupe_tf.formats.bad_volume import BadVolumeError

# The axes (slices, rows, columns) of a series in the order of the volume, by
# `slice_axis`, which counts as in NIfTI files of the series: columns, rows,
# slices.
ORDERS = {None: (0, 1, 2), 2: (0, 1, 2), 1: (1, 0, 2), 0: (2, 0, 1)}
ONE_SERIES = ("SeriesInstanceUID", "PatientID", "Rows", "Columns")


def open_dicom(path, slice_axis=None):
    """Open a folder with the DICOM files of one series, or a single file.

    Args:
        path: Path of the folder or the file.
        slice_axis: `None` or 2 for the slices of the series. 1 and 0 cut its
            volume into slices along the height (rows) and along the width
            (columns) of its images.

    Returns:
        A `Header`, and a function without arguments that reads the `Volume`.
    """
    import_extra("pydicom", "DICOM files")
    datasets = _images(path, [path] if path.is_file() else _files(path))
    _check_series(path, datasets)
    frames = []
    for file, dataset in datasets.items():
        frames += _frames(path, dataset, file)
    check_same(path, frames)
    first = frames[0]
    if first.component != "magnitude":
        raise BadVolumeError(
            path,
            f"Expected magnitude images. Received: the {first.component} of "
            "complex images, according to their image type: "
            f"{'/'.join(first.image_type)}.",
        )
    rows, columns = int(first.dataset.Rows), int(first.dataset.Columns)
    shape = len(frames), rows, columns
    tiles = 1
    if "MOSAIC" in first.image_type:
        shape = _shape_of_mosaic(path, frames)
        tiles = rows // shape[1]
    order = ORDERS[slice_axis]
    check_shape(path, shape)
    frames, between = order_of_slices(path, frames)
    if order[0] != 0:
        _check_volume(path, frames)
    in_plane = first.vector("PixelSpacing", 2)
    known = between is not None and in_plane is not None and in_plane.min() > 0
    spacing = (between, *map(float, in_plane)) if known else None
    patient, axis = _text(first.get("PatientID")), first.phase_axis
    if order[0] != 0:
        spacing = spacing and tuple(spacing[i] for i in order)
        axis = ""  # A 3-D scan encodes two phases, one across its slices.
    header = Header(tuple(shape[i] for i in order), patient, spacing, axis)
    check_shape(path, header.shape)
    signed = "int" if first.get("PixelRepresentation") else "uint"
    bits = first.get("BitsStored") or first.get("BitsAllocated")

    def read():
        images = np.empty((len(frames), rows, columns))
        for file, dataset in datasets.items():
            of_file = [i for i, f in enumerate(frames) if f.dataset is dataset]
            arrays = read_pixels(path, file)
            for i in of_file:
                images[i] = _values(frames[i], arrays[frames[i].number])
        if tiles > 1:  # As `nibabel.nicom` does.
            images = images.reshape(tiles, shape[1], tiles, shape[2])
            images = images.transpose(0, 2, 1, 3).reshape(-1, *shape[1:])
            images = images[: shape[0]]
        return Volume(
            images=images.transpose(order),
            stored=f"{signed}{bits}",
            patient=patient,
            acquisition=_text(
                first.get("SeriesDescription") or first.get("ProtocolName")
            ),
            spacing=spacing,
            phase_axis=axis,
        )

    return header, read


def _files(folder):
    """The DICOM files of a folder; none may be missing."""
    files = sorted(folder.iterdir())
    found = [file for file in files if is_dicom(file)]
    endings = {file.suffix.lower() for file in found}
    for file in files:
        # A broken link with the suffix of a slice was a slice.
        if not file.exists() and file.suffix.lower() in endings:
            raise BadVolumeError(
                folder,
                f"Expected the file of each slice. Received: {file.name}, a "
                "link to a missing file.",
            )
    return found


def _images(path, files):
    """The headers of the files that contain images, by file."""
    datasets, others = {}, []
    for file in files:
        dataset = read_dicom(path, file, stop_before_pixels=True)
        if is_image(dataset):
            if "Rows" not in dataset or "Columns" not in dataset:
                raise BadVolumeError(
                    path,
                    "Expected an image with Rows and Columns. Received: "
                    f"{file.name} without them.",
                )
            datasets[file] = dataset
            continue
        others.append(f"{file.name} ({class_of(dataset).name})")
    if not datasets:
        raise BadVolumeError(
            path,
            "Expected DICOM images. Received: "
            f"{', '.join(others[:3]) or 'no DICOM files'}"
            f"{', without images' if others else ''}.",
        )
    if others:
        warnings.warn(
            f"Files without images, skipped in the series {path}: "
            f"{', '.join(others)}.",
            stacklevel=5,
        )
    return datasets


def _check_series(path, datasets):
    """Reject files of several series and images that are not grey-scale."""
    for keyword in ONE_SERIES:
        values = {str(d.get(keyword, "")) for d in datasets.values()}
        if len(values) > 1:
            some = sorted(values)
            raise BadVolumeError(
                path,
                f"Expected files of one series, with one {keyword}; put each "
                f"series in its own folder. Received: {some[:5]}"
                f"{f' and {len(some) - 5} more' if len(some) > 5 else ''}.",
            )
    for file, dataset in datasets.items():
        samples = int(dataset.get("SamplesPerPixel") or 1)
        kind = dataset.get("PhotometricInterpretation") or "MONOCHROME2"
        if samples != 1 or kind != "MONOCHROME2":
            raise BadVolumeError(
                path,
                "Expected grey values where larger is brighter: "
                "PhotometricInterpretation MONOCHROME2, one sample per pixel. "
                f"Received: {kind}, {samples} in {file.name}.",
            )
        stored, high = dataset.get("BitsStored"), dataset.get("HighBit")
        if None not in (stored, high) and int(high) != int(stored) - 1:
            raise BadVolumeError(
                path,
                "Expected HighBit to be BitsStored - 1. Received: "
                f"{high} and {stored} in {file.name}.",
            )
    parts = [d for d in datasets.values() if d.get("ConcatenationUID")]
    total = max(
        [int(d.get("InConcatenationTotalNumber", 0)) for d in parts] or [0]
    )
    if total > len(parts):
        raise BadVolumeError(
            path,
            f"Expected the {total} files of a concatenation. Received: "
            f"{len(parts)}.",
        )


def _frames(path, dataset, file):
    """The frames of an object, each a `DicomFrame`."""
    count = int(dataset.get("NumberOfFrames") or 1)
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if groups is None and count != 1:
        raise BadVolumeError(
            path,
            "Expected functional groups that describe each frame. "
            f"Received: none for the {count} frames in {file.name}.",
        )
    if groups is not None and len(groups) != count:
        raise BadVolumeError(
            path,
            f"Expected functional groups for each of {count} frames. "
            f"Received: groups for {len(groups)} in {file.name}.",
        )
    return [DicomFrame(dataset, i, file.name) for i in range(count)]


def _check_volume(path, frames):
    """Reject a series that cannot be cut across its slices.

    `order_of_slices` has rejected slices that are not evenly spaced.
    """
    first, received = frames[0], None
    places = [
        first.vector("ImagePositionPatient", 3),
        first.vector("ImageOrientationPatient", 6),
    ]
    if len(frames) == 1:
        received = "a single image"
    elif any(place is None for place in places):
        received = "slices without positions"
    elif first.get("MRAcquisitionType") == "2D":
        received = "a 2-D scan, according to MRAcquisitionType"
    if received:
        raise BadVolumeError(
            path,
            "Expected a 3-D scan, a stack of evenly spaced slices, for a "
            f"`slice_axis` other than its own, 2. Received: {received}.",
        )


def _shape_of_mosaic(path, frames):
    """`(slices, H, W)` of a Siemens mosaic, which tiles slices in one image."""
    if len(frames) > 1:
        raise BadVolumeError(
            path,
            "Expected one volume. Received: a series of "
            f"{len(frames)} mosaics, each of which is a volume. Put the file "
            "that you want in its own folder, or convert the series to NIfTI "
            "with dcm2niix.",
        )
    with warnings.catch_warnings():  # The module warns that it is experimental.
        warnings.simplefilter("ignore")
        csa = import_extra("nibabel.nicom.csareader", "mosaics")
    dataset = frames[0].dataset
    header = csa.get_csa_header(dataset)
    count = header and csa.get_n_mosaic(header)
    if not count and dataset.get((0x0019, 0x100A)) is not None:
        count = int(dataset[0x0019, 0x100A].value)
    if not count:
        raise BadVolumeError(
            path,
            "Expected the number of images in a mosaic, in Siemens's private "
            "header. Received: a mosaic without it.",
        )
    side = math.isqrt(count - 1) + 1
    size = int(dataset.Rows), int(dataset.Columns)
    if size[0] % side or size[1] % side:
        raise BadVolumeError(
            path,
            f"Expected a mosaic of {side}×{side} images of equal size. "
            f"Received: {size[0]}×{size[1]} pixels.",
        )
    return count, size[0] // side, size[1] // side


def _values(frame, stored):
    """Convert the stored numbers of a frame to values: float64."""
    from pydicom.pixels import apply_modality_lut

    if frame.dataset.get("ModalityLUTSequence"):
        values = apply_modality_lut(stored, frame.dataset).astype("float64")
    else:
        # pydicom looks only at the top level.
        slope, intercept = frame.rescale
        values = stored * slope + intercept
    padding = frame.get("PixelPaddingValue")
    if padding is not None:  # Padding is not part of the image.
        limit = frame.get("PixelPaddingRangeLimit")
        low, high = sorted((padding, padding if limit is None else limit))
        values[(stored >= low) & (stored <= high)] = 0
    return values


def _text(value):
    return "" if value is None else str(value).strip("\0 ")
