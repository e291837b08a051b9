"""Reading volumes of DICOM files: a series in a folder, or one file."""

import math
import warnings
import zlib

import numpy as np

from loupe_tf.datasets.building.dicom_frame import DicomFrame
from loupe_tf.datasets.building.dicom_stack import check_same, order_of_slices
from loupe_tf.datasets.building.volume import Volume
from loupe_tf.datasets.building.volume_header import Header
from loupe_tf.datasets.building.volume_reader import (
    check_shape,
    import_extra,
)
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.reading import (
    BadFileError,
    check_file,
    check_memory,
    naming,
)

# Files of these endings are meant as DICOM, whatever is in them; of others,
# those that have the mark of DICOM.
SUFFIXES = (".dcm", ".ima", ".dicom")
# Endings of files that may be DICOM without its mark, as very old ones are.
PERHAPS = ("", ".img", ".mr", ".dic")
# Objects that have rows and columns and are no images of a scanner.
NOT_IMAGES = (
    "1.2.840.10008.5.1.4.1.1.4.2",  # MR Spectroscopy
    "1.2.840.10008.5.1.4.1.1.30",  # Parametric Map
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
    "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
)
DEFLATED = "1.2.840.10008.1.2.1.99"
ONE_SERIES = ("SeriesInstanceUID", "PatientID", "Rows", "Columns")
# Pixel data may be longer than the image by this share, as padding.
PADDING = 0.02
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
CHUNK = 2**20


def is_dicom(path):
    """Whether a file is DICOM: by its content, or meant as DICOM by its name.

    Links whose files are gone and what cannot be opened go by their names.
    """
    if path.name.startswith(".") or path.is_dir():
        return False
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        check_file(path)
        with open(path, "rb") as file:
            start = file.read(132)
    except (OSError, ValueError):
        return False
    return start[128:] == b"DICM" or (
        _may_be_bare(path) and _begins_like_dicom(start)
    )


def holds_image(path):
    """Whether a DICOM file holds an image; damaged files count as images."""
    try:
        dataset = _dcmread(
            path,
            specific_tags=["Rows", "SOPClassUID"],
            stop_before_pixels=True,
        )
        return _is_image(dataset)
    except Exception:  # Reading it will say what is wrong.
        return True


def open_dicom(path):
    """Opens a folder with the DICOM files of one series, or a file.

    Args:
        path: Path of the folder or the file.

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
            "complex ones, as their image type says: "
            f"{'/'.join(first.image_type)}.",
        )
    rows, columns = int(first.dataset.Rows), int(first.dataset.Columns)
    shape = len(frames), rows, columns
    tiles = 1
    if "MOSAIC" in first.image_type:
        shape = _shape_of_mosaic(path, frames)
        tiles = rows // shape[1]
    check_shape(path, shape)
    frames, between = order_of_slices(path, frames)
    in_plane = first.vector("PixelSpacing", 2)
    known = between is not None and in_plane is not None and in_plane.min() > 0
    spacing = (between, *map(float, in_plane)) if known else None
    header = Header(shape, _text(first.get("PatientID")), spacing)
    signed = "int" if first.get("PixelRepresentation") else "uint"
    bits = first.get("BitsStored") or first.get("BitsAllocated")

    def read():
        images = np.empty((len(frames), rows, columns))
        for file, dataset in datasets.items():
            of_file = [i for i, f in enumerate(frames) if f.dataset is dataset]
            arrays = _pixels(path, file)
            for i in of_file:
                images[i] = _values(frames[i], arrays[frames[i].number])
        if tiles > 1:  # As `nibabel.nicom` does.
            images = images.reshape(tiles, shape[1], tiles, shape[2])
            images = images.transpose(0, 2, 1, 3).reshape(-1, *shape[1:])
            images = images[: shape[0]]
        return Volume(
            images=images,
            stored=f"{signed}{bits}",
            patient=header.patient,
            acquisition=_text(
                first.get("SeriesDescription") or first.get("ProtocolName")
            ),
            spacing=spacing,
        )

    return header, read


def _files(folder):
    """The DICOM files of a folder, none of which may be missing."""
    files = sorted(folder.iterdir())
    found = [file for file in files if is_dicom(file)]
    endings = {file.suffix.lower() for file in found}
    for file in files:
        # A link whose file is gone was a slice, if it is named like one.
        if not file.exists() and file.suffix.lower() in endings:
            raise BadVolumeError(
                folder,
                f"Expected the file of each slice. Received: {file.name}, a "
                "link to a file that is not there.",
            )
    return found


def _images(path, files):
    """The headers of those files that hold images, by file."""
    datasets, others = {}, []
    for file in files:
        dataset = _read(path, file, stop_before_pixels=True)
        if _is_image(dataset):
            if "Rows" not in dataset or "Columns" not in dataset:
                raise BadVolumeError(
                    path,
                    "Expected an image of so many Rows and Columns. "
                    f"Received: {file.name} without them.",
                )
            datasets[file] = dataset
            continue
        others.append(f"{file.name} ({_class_of(dataset).name})")
    if not datasets:
        raise BadVolumeError(
            path,
            "Expected DICOM images. Received: "
            f"{', '.join(others[:3]) or 'no DICOM files'}"
            f"{', without images' if others else ''}.",
        )
    if others:
        warnings.warn(
            f"No images, and left out of the series {path}: "
            f"{', '.join(others)}.",
            stacklevel=5,
        )
    return datasets


def _is_image(dataset):
    """Whether an object is an image of a scanner, or a damaged one.

    Without rows it is none only if its class says so, twice if that is one of
    a manufacturer: the end of a file may have been lost.
    """
    kind = _class_of(dataset)
    if "Rows" in dataset:
        return kind not in NOT_IMAGES
    known = kind.name != str(kind)
    twice = kind.is_valid and kind == dataset.get("SOPClassUID", "")
    twice = twice and kind == dataset.file_meta.get("MediaStorageSOPClassUID")
    return "Image Storage" in kind.name or not (known or twice)


def _class_of(dataset):
    """What kind of object it is: a `pydicom.uid.UID`, empty if unknown."""
    from pydicom.uid import UID

    kind = dataset.get("SOPClassUID") or dataset.file_meta.get(
        "MediaStorageSOPClassUID"
    )
    return UID(kind or "")


def _check_series(path, datasets):
    """Refuses files of several series, and images that are not grey."""
    for keyword in ONE_SERIES:
        values = {str(d.get(keyword, "")) for d in datasets.values()}
        if len(values) > 1:
            some = sorted(values)
            raise BadVolumeError(
                path,
                f"Expected files of one series, with one {keyword}; give each "
                f"series a folder of its own. Received: {some[:5]}"
                f"{f' and {len(some) - 5} more' if len(some) > 5 else ''}.",
            )
    for file, dataset in datasets.items():
        samples = int(dataset.get("SamplesPerPixel") or 1)
        kind = dataset.get("PhotometricInterpretation") or "MONOCHROME2"
        if samples != 1 or kind != "MONOCHROME2":
            raise BadVolumeError(
                path,
                "Expected grey values, of which larger ones are brighter: "
                "PhotometricInterpretation MONOCHROME2, one sample a pixel. "
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
            "Expected functional groups that say what each frame is. "
            f"Received: none for the {count} frames in {file.name}.",
        )
    if groups is not None and len(groups) != count:
        raise BadVolumeError(
            path,
            f"Expected functional groups of each of {count} frames. "
            f"Received: those of {len(groups)} in {file.name}.",
        )
    return [DicomFrame(dataset, i, file.name) for i in range(count)]


def _shape_of_mosaic(path, frames):
    """`(slices, H, W)` in a mosaic of Siemens, a square of images in one."""
    if len(frames) > 1:
        raise BadVolumeError(
            path,
            "Expected one volume. Received: a series of "
            f"{len(frames)} mosaics, each of which is one. Keep the file that "
            "you want in a folder of its own, or convert the series to NIfTI "
            "with dcm2niix.",
        )
    with warnings.catch_warnings():  # It calls itself experimental.
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
            f"Expected a mosaic of {side}×{side} images of one size. "
            f"Received: {size[0]}×{size[1]} pixels.",
        )
    return count, size[0] // side, size[1] // side


def _pixels(path, file):
    """What a file stores, of shape `(frames, rows, columns)`."""
    from pydicom.pixels import get_decoder

    dataset = _read(path, file)
    frames = int(dataset.get("NumberOfFrames") or 1)
    shape = frames, dataset.Rows, dataset.Columns
    with naming(path, f"pixel data in {file.name}", BadVolumeError):
        syntax = dataset.file_meta.TransferSyntaxUID
        if not syntax.is_compressed:
            _check_length(file, dataset, math.prod(shape))
            return dataset.pixel_array.reshape(shape)
        needed = "; ".join(get_decoder(syntax).missing_dependencies)
        try:
            return dataset.pixel_array.reshape(shape)
        except RuntimeError as error:
            raise BadVolumeError(
                path,
                "Expected pixel data that can be unpacked. Received: "
                f"{syntax.name} in {file.name}. Install one of these, if the "
                f"file is not damaged: {needed}.",
            ) from error


def _check_length(file, dataset, count):
    """Compares pixel data with the size that the header states."""
    expected = count * int(dataset.get("BitsAllocated", 16)) // 8
    element = next(dataset[name] for name in PIXELS if name in dataset)
    length = len(element.value)
    if not expected <= length <= expected * (1 + PADDING) + 1:
        raise ValueError(f"{length} bytes where the header says {expected}")
    if element.tag != max(dataset.keys()) or element.file_tell is None:
        return
    if dataset.file_meta.TransferSyntaxUID == DEFLATED:
        return
    # Bytes that were put in have pushed others out. Zeros are padding.
    with open(file, "rb") as stream:
        stream.seek(element.file_tell + length)
        rest = stream.read(CHUNK)
    if any(rest):
        raise ValueError(f"{len(rest)} bytes follow after the last element")


def _values(frame, stored):
    """What the stored numbers of a frame mean: float64."""
    from pydicom.pixels import apply_modality_lut

    if frame.dataset.get("ModalityLUTSequence"):
        values = apply_modality_lut(stored, frame.dataset).astype("float64")
    else:
        # pydicom looks at the top level alone.
        slope, intercept = frame.rescale
        values = stored * slope + intercept
    padding = frame.get("PixelPaddingValue")
    if padding is not None:  # No part of the image.
        limit = frame.get("PixelPaddingRangeLimit")
        low, high = sorted((padding, padding if limit is None else limit))
        values[(stored >= low) & (stored <= high)] = 0
    return values


def _read(path, file, **options):
    """Reads a DICOM file, whose name goes into errors of the volume."""
    with naming(path, f"the DICOM file {file.name}", BadVolumeError):
        try:
            return _dcmread(file, **options)
        except BadFileError as error:
            raise BadVolumeError(
                path, f"{error.reason}, {file.name}."
            ) from error


def _dcmread(file, **options):
    import pydicom

    check_memory(file, check_file(file))
    with open(file, "rb") as stream:
        start = stream.read(132)
    bare = start[128:] != b"DICM"
    if bare and not _begins_like_dicom(start):
        raise ValueError("it does not begin as DICOM does")
    if not bare:
        _check_deflated(file)
    dataset = pydicom.dcmread(file, force=bare, **options)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian
            if implicit
            else pydicom.uid.ExplicitVRLittleEndian
            if little
            else pydicom.uid.ExplicitVRBigEndian
        )
    return dataset


def _check_deflated(file):
    """Refuses what unpacks to more than memory may hold."""
    import pydicom

    meta = pydicom.filereader.read_file_meta_info(file)
    if meta.get("TransferSyntaxUID") != DEFLATED:
        return
    unpack, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with open(file, "rb") as stream:
        # The mark, the length of what follows, and that.
        stream.seek(132 + 12 + meta.FileMetaInformationGroupLength)
        data = stream.read()
    while data and not unpack.eof:  # A byte may follow the end.
        size += len(unpack.decompress(data, CHUNK))
        check_memory(file, size)
        data = unpack.unconsumed_tail


def _may_be_bare(path):
    suffix = path.suffix.lower()
    return suffix in PERHAPS or suffix[1:].isdigit()


def _begins_like_dicom(start):
    """Whether bytes begin with an element of DICOM's first groups."""
    group, explicit = start[:2], start[4:6]
    if group in (b"\x02\0", b"\x08\0"):
        length = int.from_bytes(start[4:8], "little")
        return length < 1024 or (explicit.isalpha() and explicit.isupper())
    return group == b"\0\x08" and explicit.isalpha() and explicit.isupper()


def _text(value):
    return "" if value is None else str(value).strip("\0 ")
