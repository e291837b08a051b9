"""Recognise and read single DICOM files."""

import math
import zlib

from loupe_tf.datasets.building.nifti_reader import twin
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.reading import BadFileError, check_file, check_memory, naming

# Files with these suffixes count as DICOM, whatever they contain. Other files
# must have DICOM's preamble.
SUFFIXES = (".dcm", ".ima", ".dicom")
# Files with these suffixes may be DICOM without a preamble, as very old files.
PERHAPS = ("", ".img", ".mr", ".dic")
# Objects that have rows and columns but are not images of a scanner.
NOT_IMAGES = (
    "1.2.840.10008.5.1.4.1.1.4.2",  # MR Spectroscopy
    "1.2.840.10008.5.1.4.1.1.30",  # Parametric Map
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
    "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
)
DEFLATED = "1.2.840.10008.1.2.1.99"
# Pixel data may be longer than the image by this share, as padding.
PADDING = 0.02
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
CHUNK = 2**20


def is_dicom(path):
    """Whether a file is DICOM, by its name or its content.

    Broken links and files that cannot be opened are judged by their names.
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
    """Whether a DICOM file contains an image; damaged files count as images."""
    try:
        dataset = _dcmread(
            path,
            specific_tags=["Rows", "SOPClassUID"],
            stop_before_pixels=True,
        )
        return is_image(dataset)
    except Exception:  # Reading the file later reports the error.
        return True


def is_image(dataset):
    """Whether a `pydicom.Dataset` is a scanner's image, possibly damaged.

    The end of a file may be lost, so a file without rows can still be an
    image. It is not an image only if its class says so; a manufacturer's own
    class must be stated twice.
    """
    kind = class_of(dataset)
    if "Rows" in dataset:
        return kind not in NOT_IMAGES
    known = kind.name != str(kind)
    twice = kind.is_valid and kind == dataset.get("SOPClassUID", "")
    twice = twice and kind == dataset.file_meta.get("MediaStorageSOPClassUID")
    return "Image Storage" in kind.name or not (known or twice)


def class_of(dataset):
    """The class of an object, a `pydicom.uid.UID`; empty if unknown."""
    from pydicom.uid import UID

    kind = dataset.get("SOPClassUID") or dataset.file_meta.get(
        "MediaStorageSOPClassUID"
    )
    return UID(kind or "")


def read_dicom(path, file, **options):
    """Read a DICOM file; errors name the file and its volume.

    Args:
        path: The volume, for errors.
        file: Path of the file.
        **options: Options of `pydicom.dcmread`.

    Returns:
        A `pydicom.Dataset` with a known transfer syntax.

    Raises:
        BadVolumeError: If the file is damaged or too large.
    """
    with naming(path, f"the DICOM file {file.name}", BadVolumeError):
        try:
            return _dcmread(file, **options)
        except BadFileError as error:
            raise BadVolumeError(
                path, f"{error.reason}, {file.name}."
            ) from error


def read_pixels(path, file):
    """Read the pixel values stored in a file.

    Args:
        path: The volume, for errors.
        file: Path of the file.

    Returns:
        An array of shape `(frames, rows, columns)`.

    Raises:
        BadVolumeError: If the values are damaged, or if decoding them needs a
            missing package.
    """
    from pydicom.pixels import get_decoder

    dataset = read_dicom(path, file)
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
                "Expected pixel data that can be decoded. Received: "
                f"{syntax.name} in {file.name}. If the file is not damaged, "
                f"install one of these: {needed}.",
            ) from error


def _dcmread(file, **options):
    import pydicom

    check_memory(file, check_file(file))
    with open(file, "rb") as stream:
        start = stream.read(132)
    bare = start[128:] != b"DICM"
    if bare and not _begins_like_dicom(start):
        raise ValueError("it does not begin like DICOM")
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
    """Reject a deflated file that exceeds the memory limit when unpacked."""
    import pydicom

    meta = pydicom.filereader.read_file_meta_info(file)
    if meta.get("TransferSyntaxUID") != DEFLATED:
        return
    unpack, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with open(file, "rb") as stream:
        # Skip the preamble, the length element and the file meta information.
        stream.seek(132 + 12 + meta.FileMetaInformationGroupLength)
        data = stream.read()
    while data and not unpack.eof:  # A byte may follow the end.
        size += len(unpack.decompress(data, CHUNK))
        check_memory(file, size)
        data = unpack.unconsumed_tail


def _check_length(file, dataset, count):
    """Compare pixel data with the size stated in the header."""
    expected = count * int(dataset.get("BitsAllocated", 16)) // 8
    element = next(dataset[name] for name in PIXELS if name in dataset)
    length = len(element.value)
    if not expected <= length <= expected * (1 + PADDING) + 1:
        raise ValueError(f"{length} bytes where the header says {expected}")
    if element.tag != max(dataset.keys()) or element.file_tell is None:
        return
    if dataset.file_meta.TransferSyntaxUID == DEFLATED:
        return
    # Inserted bytes push others past the end. Zeros are padding.
    with open(file, "rb") as stream:
        stream.seek(element.file_tell + length)
        rest = stream.read(CHUNK)
    if any(rest):
        raise ValueError(f"{len(rest)} bytes follow after the last element")


def _may_be_bare(path):
    suffix = path.suffix.lower()
    # The voxels of a pair .hdr and .img may begin with any bytes.
    return (suffix in PERHAPS or suffix[1:].isdigit()) and twin(path) is None


def _begins_like_dicom(start):
    """Whether bytes start with an element of DICOM's first groups."""
    group, explicit = start[:2], start[4:6]
    if group in (b"\x02\0", b"\x08\0"):
        length = int.from_bytes(start[4:8], "little")
        return length < 1024 or (explicit.isalpha() and explicit.isupper())
    return group == b"\0\x08" and explicit.isalpha() and explicit.isupper()
