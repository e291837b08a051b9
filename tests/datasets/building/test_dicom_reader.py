import os
import warnings

import numpy as np
import pydicom
import pytest
import tensorflow_datasets as tfds
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import generate_uid

import loupe_tf
import loupe_tf.cli
from loupe_tf.datasets.building.readers import (
    find_volumes,
    read_header,
    read_volume,
)
from loupe_tf.formats.bad_volume import BadVolumeError

# The small real images that pydicom's wheel has.
SMALL = ("implicit", "expb", "bigendian", "RLE", "padded", "jp2klossless")


def dataset(pixels, **tags):
    """An image of any number of frames, without a place."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    d.SOPClassUID = pydicom.uid.MRImageStorage
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID
    d.SeriesInstanceUID, d.PatientID = "1.2.3", "P7"
    d.SeriesDescription = "T2 TSE"
    d.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    d.Rows, d.Columns = pixels.shape[-2:]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
    d.PixelRepresentation = 0
    set_tags(d, tags)
    d.PixelData = pixels.astype("<u2").tobytes()
    return d


def set_tags(d, tags, *numbers):
    for name, value in tags.items():
        value = value(*numbers) if callable(value) else value
        if name.startswith("x"):  # No keyword has this tag.
            d.add_new(int(name[1:], 16), *value)
        else:
            setattr(d, name, value)


def write_series(folder, array, ending=".dcm", **tags):
    """Slices of a series, whose file names run against their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(array):
        d = dataset(pixels, InstanceNumber=len(array) - i)
        # An oblique slice: the normal is (0, -0.6, 0.8).
        d.ImageOrientationPatient = [1, 0, 0, 0, 0.8, 0.6]
        d.ImagePositionPatient = [0, -0.6 * 3 * i, 0.8 * 3 * i]
        d.PixelSpacing, d.SliceThickness = [0.5, 0.7], 2.5
        d.RescaleSlope, d.RescaleIntercept = 2 + i, 1
        set_tags(d, tags, i)
        file = folder / f"{len(array) - i:03d}{ending}"
        d.save_as(file, enforce_file_format=True)
    return folder


def group(name, **values):
    item = Dataset()
    set_tags(item, values)
    functional = Dataset()
    setattr(functional, name, [item])
    return functional


def write_enhanced(path, array, frames, shared=None, **tags):
    """A multi-frame object; `frames` gives the groups of each frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    d = dataset(array, NumberOfFrames=len(array), InstanceNumber=1, **tags)
    d.SOPClassUID = pydicom.uid.EnhancedMRImageStorage

    def functional(groups):
        item = Dataset()
        for name, values in groups.items():
            item.update(group(name, **values))
        return item

    d.PerFrameFunctionalGroupsSequence = [functional(f) for f in frames]
    d.SharedFunctionalGroupsSequence = [functional(shared or SHARED)]
    d.save_as(path, enforce_file_format=True)
    return path


SHARED = {
    "PlaneOrientationSequence": {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
    "PixelMeasuresSequence": {"PixelSpacing": [0.5, 0.7], "SliceThickness": 4},
}


def place(z, **groups):
    return {
        "PlanePositionSequence": {"ImagePositionPatient": [0, 0, z]},
        **groups,
    }


def slope(value):
    return {"RescaleSlope": value, "RescaleIntercept": 0, "RescaleType": "US"}


def test_series(tmp_path, rng):
    array = rng.integers(0, 4000, size=(4, 6, 5))
    folder = write_series(tmp_path / "series", array)
    volume = read_volume(folder)
    expected = array * np.arange(2, 6)[:, None, None] + 1.0
    np.testing.assert_array_equal(volume.images, expected)
    assert volume.patient == "P7" and volume.acquisition == "T2 TSE"
    assert volume.spacing == pytest.approx((3, 0.5, 0.7))
    assert volume.stored == "uint12" and volume.source == "magnitude_image"
    assert read_header(folder)[:3] == ((4, 6, 5), "P7", volume.spacing)
    one = read_volume(folder / "004.dcm")
    np.testing.assert_array_equal(one.images, expected[:1])
    assert one.spacing == pytest.approx((2.5, 0.5, 0.7))


@pytest.mark.parametrize("several", [False, True])
def test_functional_groups_of_each_frame(tmp_path, several):
    # pydicom#2353 and mrpro#933: each frame has a slope of its own.
    array = np.full((3, 4, 5), 100)
    frames = [
        place(z, PixelValueTransformationSequence=slope(s))
        for z, s in ((10, 2), (5, 4), (0, 8))
    ]
    tags = {"RescaleSlope": 77}  # The groups go first.
    if several:
        for i, frame in enumerate(frames):
            file = tmp_path / f"s/{i}.dcm"
            write_enhanced(file, array[:1], [frame], **tags)
        path = tmp_path / "s"
    else:
        path = write_enhanced(tmp_path / "a.dcm", array, frames, **tags)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.images.max((1, 2)), [800, 400, 200])
    assert volume.spacing == (5, 0.5, 0.7)
    assert read_header(path)[:3] == ((3, 4, 5), "P7", volume.spacing)


def test_shared_groups_and_order_of_frames(tmp_path, rng):
    array = rng.integers(1, 4000, size=(3, 4, 5))
    shared = {**SHARED, "PixelValueTransformationSequence": slope(0.5)}
    frames = [place(z) for z in (2, 6, 4)]
    path = write_enhanced(tmp_path / "a", array, frames, shared)
    np.testing.assert_array_equal(
        read_volume(path).images, array[[0, 2, 1]] / 2
    )
    # Without places the number in the stack counts.
    frames = [
        {"FrameContentSequence": {"InStackPositionNumber": n}}
        for n in (3, 1, 2)
    ]
    path = write_enhanced(tmp_path / "b", array, frames, shared)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.images, array[[1, 2, 0]] / 2)
    assert volume.spacing == (4, 0.5, 0.7)


MIXED = [
    (
        "several stacks",
        lambda i: {"FrameContentSequence": {"StackID": str(i % 2)}},
        "StackID (0, 1)",
    ),
    (
        "time points",
        lambda i: {"FrameContentSequence": {"TemporalPositionIndex": 1 + i}},
        "TemporalPositionIndex (1, 2, 3 and 1 more)",
    ),
    (
        "echoes",
        lambda i: {"MREchoSequence": {"EffectiveEchoTime": 10.0 + 10 * i}},
        "EffectiveEchoTime (10, 20, 30 and 1 more)",
    ),
    (
        "phase beside magnitude",
        lambda i: {
            "MRImageFrameTypeSequence": {
                "FrameType": ["ORIGINAL", "PRIMARY", "M"],
                "ComplexImageComponent": ("MAGNITUDE", "PHASE")[i % 2],
            }
        },
        "the part of complex images (magnitude, phase)",
    ),
    (
        "orientations",
        lambda i: {
            "PlaneOrientationSequence": {
                "ImageOrientationPatient": [1, 0, 0, 0, 1 - i % 2, i % 2]
            }
        },
        "ImageOrientationPatient ([1, 0, 0, 0, 0, 1], [1, 0, 0, 0, 1, 0])",
    ),
]


@pytest.mark.parametrize(
    "groups, match", [m[1:] for m in MIXED], ids=[m[0] for m in MIXED]
)
@pytest.mark.parametrize("same_place", [False, True])
def test_frames_of_several_volumes(tmp_path, groups, match, same_place):
    frames = [place(i // 2 if same_place else i, **groups(i)) for i in range(4)]
    array = np.ones((4, 4, 5))
    path = write_enhanced(tmp_path / "a.dcm", array, frames)
    for read in (read_header, read_volume):
        with pytest.raises(BadVolumeError) as error:
            read(path)
        assert match in str(error.value) and "dcm2niix" in str(error.value)


@pytest.mark.parametrize(
    "tags, match",
    [
        (
            # A localizer.
            {
                "ImageOrientationPatient": lambda i: (
                    [1, 0, 0, 0, 1, 0],
                    [1, 0, 0, 0, 0, -1],
                    [0, 1, 0, 0, 0, -1],
                )[i % 3]
            },
            r"ImageOrientationPatient \(\[0, 1, 0, 0, 0, -1\]",
        ),
        (
            {
                "ImageType": lambda i: ["ORIGINAL", "PRIMARY", "MP"[i % 2]],
                "RescaleIntercept": lambda i: -4096 * (i % 2),
            },
            r"ImageType \(ORIGINAL.PRIMARY.M, ORIGINAL.PRIMARY.P\)",
        ),
        ({"EchoTime": lambda i: 10 + i}, r"EchoTime \(10, 11, 12"),
        ({"EchoNumbers": lambda i: i % 2}, r"EchoNumbers \(0, 1\)"),
        (
            {"TemporalPositionIdentifier": lambda i: 1 + i % 2},
            r"TemporalPositionIdentifier \(1, 2\)",
        ),
        ({"DiffusionBValue": lambda i: 500.0 * i}, r"DiffusionBValue \(0, 500"),
        ({"PixelSpacing": lambda i: [0.5 + i, 0.7]}, "PixelSpacing"),
        ({"SliceThickness": lambda i: 2 + i}, r"SliceThickness \(2, 3"),
        ({"SliceThickness": lambda i: 2 if i else None}, "SliceThickness.*non"),
        (
            {
                "ImagePositionPatient": lambda i: [0, 0, i % 3],
                "AcquisitionTime": lambda i: f"10000{i // 3}",
            },
            "6 images at 3 positions, such as 003.dcm and 006.dcm, which "
            r"differ in AcquisitionTime \(100000, 100001\)",
        ),
        ({"ImagePositionPatient": [0, 0, 0]}, "6 images at 1 positions"),
        (
            {"ImagePositionPatient": lambda i: [i, -1.8 * i, 2.4 * i]},
            "above each other.*shifted by 2.5 mm",
        ),
        (
            {"ImagePositionPatient": lambda i: [0, 0, i] if i else None},
            "ImagePositionPatient in each image.*006.dcm",
        ),
        ({"ImageOrientationPatient": [0] * 6}, "two orthogonal unit vectors"),
        (
            {"InstanceNumber": None, "ImagePositionPatient": None},
            "InstanceNumber, in each image",
        ),
        ({"SeriesInstanceUID": lambda i: f"1.2.{i}"}, "one SeriesInstanceUID"),
        ({"PatientID": lambda i: f"P{i}"}, "one PatientID.*'P0', 'P1'"),
        ({"Rows": 7}, "60 bytes where the header says 70"),
        ({"Rows": 3}, "60 bytes where the header says 30"),
        ({"NumberOfFrames": 2}, "none for the 2 frames in 001.dcm"),
        ({"SamplesPerPixel": 3}, "one sample per pixel.*MONOCHROME2, 3"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "MONOCHROME1"),
        ({"HighBit": 15}, "HighBit"),
        ({"RescaleSlope": 0}, "RescaleSlope 0"),
        ({"RescaleIntercept": -4}, "not negative.*values from -2 to 3"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, "phase.*PRIMARY/P"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP"]}, "the phase"),
        ({"ImageType": ["DERIVED", "PRIMARY", "R_IR"]}, "the real part"),
        ({"ComplexImageComponent": "IMAGINARY"}, "the imaginary part"),
        ({"x0043102F": ("SS", 1)}, "the phase"),
        (
            {
                "ConcatenationUID": "1.2.9",
                "InConcatenationTotalNumber": 7,
            },
            "7 files of a concatenation. Received: 6",
        ),
    ],
)
def test_bad_series(tmp_path, tags, match):
    folder = write_series(tmp_path / "s", np.ones((6, 6, 5)), **tags)
    with pytest.raises(BadVolumeError, match=match) as error:
        read_volume(folder)
    assert error.value.volume == str(folder)


def test_frames_without_groups(tmp_path):
    frames = [place(i) for i in range(3)]
    path = write_enhanced(tmp_path / "a", np.ones((4, 4, 5)), frames)
    match = "4 frames. Received: groups for 3"
    with pytest.raises(BadVolumeError, match=match):
        read_volume(path)


@pytest.mark.parametrize("name", ["003.dcm", "004.dcm"])
@pytest.mark.parametrize("how", ["missing", "link"])
def test_slice_missing_in_the_middle(tmp_path, name, how):
    folder = write_series(tmp_path / "s", np.ones((6, 4, 5)))
    (folder / name).unlink()
    match = r"evenly spaced.*, 3 mm.*6 mm between \d+.dcm .*and \d+.dcm"
    if how == "link":
        (folder / name).symlink_to(folder / "gone.dcm")
        match = f"{name}, a link to a missing file"
    for read in (read_header, read_volume):
        with pytest.raises(BadVolumeError, match=match):
            read(folder)


def test_every_other_slice_missing(tmp_path):
    folder = write_series(
        tmp_path / "s", np.ones((6, 4, 5)), SpacingBetweenSlices=3
    )
    assert read_volume(folder).spacing[0] == pytest.approx(3)
    for name in ("001.dcm", "003.dcm", "005.dcm"):
        (folder / name).unlink()
    with pytest.raises(BadVolumeError, match="3 mm apart.*Received: 6 mm"):
        read_volume(folder)
    # The gap alone under that name says nothing of missing slices.
    folder = write_series(
        tmp_path / "t", np.ones((6, 4, 5)), SpacingBetweenSlices=1.5
    )
    assert read_volume(folder).spacing[0] == pytest.approx(3)


def test_rounded_positions_are_even(tmp_path, rng):
    # Scanners write them with few decimals.
    folder = write_series(
        tmp_path / "s",
        np.ones((9, 4, 5)),
        ImagePositionPatient=lambda i: [0, round(-1.98 * i, 1), 2.64 * i],
        ImageOrientationPatient=lambda i: [1, 0, 0, 0, 0.8 + 0.001 * i, 0.6],
        EchoTime=lambda i: 12.3 + 0.01 * (i % 2),
    )
    assert read_volume(folder).spacing[0] == pytest.approx(3.3, rel=0.02)


def test_without_positions_goes_by_instance_number(tmp_path, rng):
    array = rng.integers(0, 4000, size=(3, 6, 5))
    folder = write_series(
        tmp_path / "s", array, ImagePositionPatient=None, RescaleSlope=1
    )
    images = read_volume(folder).images
    np.testing.assert_array_equal(images, array[::-1] + 1.0)


def test_one_slice_needs_no_number_and_no_thickness(tmp_path, rng):
    array = rng.integers(0, 4000, size=(1, 6, 5))
    folder = write_series(
        tmp_path / "s",
        array,
        InstanceNumber=None,
        ImagePositionPatient=None,
        SliceThickness=None,
        RescaleSlope=None,
        RescaleIntercept=None,
    )
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.images, array)
    assert volume.spacing is None


def test_signed_pixels_and_padding(tmp_path):
    array = np.array([[[5, 7, 300], [65535, 3, 32768 + 100]]])
    tags = {
        "PixelRepresentation": 1,
        "BitsStored": 16,
        "HighBit": 15,
        "RescaleSlope": 2,
        "x00280120": ("SS", -32668),
    }
    volume = read_volume(write_series(tmp_path / "s", array, **tags))
    expected = [[[11, 15, 601], [-1, 7, 0]]]
    np.testing.assert_array_equal(volume.images, expected)
    assert volume.stored == "int16" and volume.source == "signed_image"


def test_modality_table(tmp_path):
    table = Dataset()
    table.add_new((0x0028, 0x3002), "US", [4, 0, 16])
    table.add_new((0x0028, 0x3006), "US", [0, 10, 200, 3000])
    folder = write_series(
        tmp_path / "s",
        np.array([[[0, 1], [2, 3]]]),
        ModalityLUTSequence=[table],
        RescaleSlope=None,
        RescaleIntercept=None,
    )
    images = read_volume(folder).images
    np.testing.assert_array_equal(images, [[[0, 10], [200, 3000]]])


def mosaic(tiles, side):
    """Images in the order of reading, as Siemens packs them."""
    count, rows, columns = tiles.shape
    whole = np.zeros((side * rows, side * columns), tiles.dtype)
    for i, tile in enumerate(tiles):
        y, x = divmod(i, side)
        whole[y * rows :, x * columns :][:rows, :columns] = tile
    return whole


MOSAIC = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
    "SpacingBetweenSlices": 3.3,
    "RescaleSlope": 1,
    "RescaleIntercept": 0,
    "x00190010": ("LO", "SIEMENS MR HEADER"),
    "x0019100A": ("US", 7),
}


def along(axis, shape):
    """Images that change along one axis only."""
    return np.broadcast_to(np.indices(shape)[1 + "HW".index(axis)] + 1, shape)


@pytest.mark.parametrize("kind", ["classic", "enhanced", "mosaic"])
@pytest.mark.parametrize("axis, word", [("W", "ROW"), ("H", "COL")])
def test_axis_of_phase_encoding(tmp_path, kind, axis, word):
    """ROW means along a row of the images as they are delivered."""
    array = along(axis, (4, 6, 5))
    name, path = "InPlanePhaseEncodingDirection", tmp_path / "s"
    if kind == "enhanced":
        # Its groups go first, and have a longer word.
        word, top = word.replace("COL", "COLUMN"), {name: "OTHER"}
        shared = {**SHARED, "MRFOVGeometrySequence": {name: word}}
        frames = [place(z) for z in range(4)]
        path = write_enhanced(tmp_path / "a.dcm", array, frames, shared, **top)
    elif kind == "mosaic":
        tags = {**MOSAIC, "x0019100A": ("US", 4), name: word}
        write_series(path, mosaic(array, 2)[None], **tags)
    else:
        write_series(path, array, **{name: word})
    volume = read_volume(path)
    assert volume.images.shape == (4, 6, 5)
    steps = {"H": np.diff(volume.images, axis=1), "W": np.diff(volume.images)}
    assert steps.pop(volume.phase_axis).all()
    (other,) = steps.values()
    assert not other.any()
    assert volume.phase_axis == read_header(path).phase_axis == axis


@pytest.mark.parametrize("tags", [{}, {"InPlanePhaseEncodingDirection": ""}])
def test_axis_of_phase_encoding_may_be_unknown(tmp_path, tags):
    write_series(tmp_path / "s", np.ones((2, 4, 5)), **tags)
    assert read_volume(tmp_path / "s").phase_axis == ""


def test_two_axes_of_phase_encoding(tmp_path):
    write_series(
        tmp_path / "s",
        np.ones((3, 4, 5)),
        InPlanePhaseEncodingDirection=lambda i: "COL" if i == 1 else "ROW",
    )
    match = r"differ in InPlanePhaseEncodingDirection \(COL, ROW\)"
    for read in (read_header, read_volume):
        with pytest.raises(BadVolumeError, match=match):
            read(tmp_path / "s")


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
@pytest.mark.parametrize(
    "slice_axis, order", [(0, (2, 0, 1)), (1, (1, 0, 2)), (2, (0, 1, 2))]
)
def test_slices_along_another_axis(tmp_path, rng, kind, slice_axis, order):
    array = rng.integers(1, 999, size=(4, 6, 5))
    name, path = "InPlanePhaseEncodingDirection", tmp_path / "s"
    tags = {"RescaleSlope": 1, "RescaleIntercept": 0, name: "ROW"}
    if kind == "enhanced":
        frames = [place(3 * z) for z in range(4)]
        path = write_enhanced(tmp_path / "a.dcm", array, frames, **tags)
    else:
        write_series(path, array, MRAcquisitionType="3D", **tags)
    volume = read_volume(path, slice_axis)
    np.testing.assert_array_equal(volume.images, array.transpose(order))
    spacing = [(3, 0.5, 0.7)[axis] for axis in order]
    assert volume.spacing == pytest.approx(spacing)
    assert volume.phase_axis == ("W" if slice_axis == 2 else "")
    assert read_header(path, slice_axis) == (
        volume.images.shape,
        "P7",
        volume.spacing,
        volume.phase_axis,
        False,
    )


@pytest.mark.parametrize(
    "count, tags, match",
    [
        (1, {}, "a single image"),
        (3, {"MRAcquisitionType": "2D"}, "a 2-D scan"),
        (
            3,
            {"ImagePositionPatient": None, "ImageOrientationPatient": None},
            "without positions",
        ),
        (
            4,
            {"ImagePositionPatient": lambda i: [0, -0.6 * i**2, 0.8 * i**2]},
            "evenly spaced",
        ),
    ],
)
def test_no_volume_to_cut(tmp_path, count, tags, match):
    write_series(tmp_path / "s", np.ones((count, 4, 5)), **tags)
    with pytest.raises(BadVolumeError, match=f"/s. Exp.*{match}"):
        read_header(tmp_path / "s", slice_axis=0)


def test_a_data_set_keeps_the_axis_of_phase_encoding(tmp_path, rng, capsys):
    for patient, word in (("p1", "COL"), ("p2", "COL"), ("p3", "")):
        write_series(
            tmp_path / f"scans/{patient}",
            rng.integers(1, 4000, size=(2, 12, 14)),
            InPlanePhaseEncodingDirection=word,
            PatientID=patient,
        )
    config = loupe_tf.datasets.MriVolumesConfig(
        tmp_path / "scans",
        split={"train": ["p1", "p3"], "validation": ["p2"], "test": ["p4"]},
        name="axes",
    )
    write_series(
        tmp_path / "scans/p4",
        rng.integers(1, 4000, size=(2, 12, 14)),
        InPlanePhaseEncodingDirection="COL",
        PatientID="p4",
    )
    builder = tfds.builder("mri_volumes", config=config, data_dir=tmp_path)
    builder.download_and_prepare()
    # By its name, as commands open it.
    data, _ = loupe_tf.datasets.load_splits("mri_volumes/axes", tmp_path)
    of_volume = dict(zip(data["train"].volumes, data["train"].phase_axes))
    assert of_volume == {"p1": "H", "p3": ""}
    assert data["test"].phase_axes.tolist() == ["H", "H"]
    found = loupe_tf.datasets.inspect("mri_volumes/axes", data_dir=tmp_path)
    assert found.phase_axes == {"H": 3}
    arguments = ["inspect", "--data", str(tmp_path / "scans/p1")]
    assert loupe_tf.cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "phase encoding along H (header): --lines rows" in printed


def test_mosaic_is_split(tmp_path, rng):
    array = rng.integers(1, 4000, size=(7, 4, 5))
    folder = write_series(tmp_path / "s", mosaic(array, 3)[None], **MOSAIC)
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.images, array)
    assert volume.spacing == (3.3, 0.5, 0.7)
    assert read_header(folder)[:3] == ((7, 4, 5), "P7", volume.spacing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It calls itself experimental.
        from nibabel.nicom.dicomwrappers import MosaicWrapper
    d = pydicom.dcmread(folder / "001.dcm")
    expected = MosaicWrapper(d, {}, 7).get_data()
    np.testing.assert_array_equal(volume.images, expected.transpose(2, 0, 1))


@pytest.mark.parametrize(
    "count, tags, match",
    [
        (2, {}, "a series of 2 mosaics"),
        (1, {"x0019100A": ("US", 17)}, "mosaic of 5×5.*12×15"),
        (1, {"x0019100A": ("US", 0)}, "number of images in a mosaic"),
    ],
)
def test_bad_mosaic(tmp_path, count, tags, match):
    folder = write_series(
        tmp_path / "s", np.ones((count, 12, 15)), **{**MOSAIC, **tags}
    )
    with pytest.raises(BadVolumeError, match=match):
        read_volume(folder)


@pytest.mark.parametrize("kind", SMALL)
def test_real_images_in_other_encodings(kind):
    path = pydicom.data.get_testdata_file(f"MR_small_{kind}.dcm")
    expected = pydicom.data.get_testdata_file("MR_small.dcm", read=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of padding.
        images = read_volume(path).images
    np.testing.assert_array_equal(images[0], expected.pixel_array)


def test_compressed_images_name_what_unpacks_them():
    path = pydicom.data.get_testdata_file("MR_small_jpeg_ls_lossless.dcm")
    with pytest.raises(BadVolumeError, match="JPEG-LS.*install.*pyjpegls"):
        read_volume(path)


def test_names_and_files_without_preamble(tmp_path):
    array = np.ones((1, 4, 5))
    for ending in ("", ".IMG", ".MR", ".dicom", ".IMA", ".DCM", ".7", ".x"):
        write_series(tmp_path / f"of{ending}", array, ending)
    found = sorted(p.name for p in tmp_path.iterdir())
    assert find_volumes(tmp_path) == found and len(found) == 8
    (file,) = (tmp_path / "of.IMG").iterdir()
    file.write_bytes(file.read_bytes()[132:])
    d = pydicom.dcmread(tmp_path / "of/001")
    del d.file_meta
    d.save_as(
        tmp_path / "of/001",
        implicit_vr=True,
        little_endian=True,
        enforce_file_format=False,
    )
    assert find_volumes(tmp_path) == found
    for name in found:
        assert read_volume(tmp_path / name).images.max() == 3


def report(path):
    d = dataset(np.ones((2, 2)), SOPClassUID=pydicom.uid.BasicTextSRStorage)
    for name in ("Rows", "Columns", "PixelData"):
        delattr(d, name)
    d.save_as(path, enforce_file_format=True)
    return path


def test_other_objects_among_the_slices(tmp_path):
    folder = write_series(tmp_path / "a/s", np.ones((3, 4, 5)))
    expected = read_volume(folder).images
    report(folder / "report.dcm")
    # Above the slices it makes no volume.
    report(tmp_path / "a/DICOMDIR")
    with pytest.warns(UserWarning, match="Skipped.*a/DICOMDIR") as found:
        assert find_volumes(tmp_path) == ["a/s"]
    assert len(found) == 1
    with pytest.warns(UserWarning, match=r"report.dcm \(Basic Text SR"):
        np.testing.assert_array_equal(read_volume(folder).images, expected)
    with pytest.warns(UserWarning, match="report"):
        assert read_header(folder).shape == (3, 4, 5)
    with pytest.raises(BadVolumeError, match="DICOMDIR .*without images"):
        read_volume(tmp_path / "a/DICOMDIR")


def test_damaged_file_among_the_slices(tmp_path):
    folder = write_series(tmp_path / "s", np.ones((3, 4, 5)))
    (folder / "002.dcm").write_bytes(b"no DICOM")
    with pytest.raises(BadVolumeError, match="file 002.dcm"):
        read_volume(folder)
    assert find_volumes(tmp_path) == ["s"]
    (folder / "002.dcm").unlink()
    os.mkfifo(folder / "002.dcm")  # Reading it would wait for ever.
    with pytest.raises(BadVolumeError, match="a pipe.*002.dcm"):
        read_volume(folder)


def test_links_to_series_are_followed(tmp_path):
    write_series(tmp_path / "store/one", np.ones((2, 4, 5)))
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").symlink_to(tmp_path / "store/one")
    (data / "again").symlink_to(tmp_path / "store/one")
    (data / "loop").symlink_to(data)
    assert find_volumes(data) == ["a"]
    assert read_header(data / "a").shape == (2, 4, 5)


def test_memory_limit_goes_before_pixels(tmp_path):
    large = {"Rows": 60000, "Columns": 60000}
    folder = write_series(tmp_path / "s", np.ones((2, 4, 5)), **large)
    with pytest.raises(BadVolumeError, match="4 GiB.*asks for 134.1 GiB"):
        read_volume(folder)
    assert read_header(folder).shape == (2, 60000, 60000)


def test_deflated_file_that_unpacks_to_too_much(tmp_path):
    path = tmp_path / "a.dcm"
    d = dataset(np.ones((1024, 1024)))
    d.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    d.save_as(path, enforce_file_format=True)
    assert os.path.getsize(path) < 2**14
    for _ in range(2):  # Odd lengths are padded, and more may follow.
        assert read_volume(path).images.shape == (1, 1024, 1024)
        path.write_bytes(path.read_bytes() + bytes(1))
    loupe_tf.formats.set_memory_limit("1M")
    try:
        with pytest.raises(BadVolumeError, match="1 MiB.*asks for"):
            read_header(path)
    finally:
        loupe_tf.formats.set_memory_limit(None)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_slice_that_lost_its_end_is_no_other_object(tmp_path, share):
    folder = write_series(tmp_path / "s", np.ones((3, 4, 5)))
    content = (folder / "002.dcm").read_bytes()
    (folder / "002.dcm").write_bytes(content[: int(share * len(content))])
    for read in (read_header, read_volume):
        with pytest.raises(BadVolumeError, match="002.dcm"):
            read(folder)


def test_bytes_put_into_the_pixels(tmp_path):
    folder = write_series(tmp_path / "s", np.ones((1, 4, 5)))
    content = (folder / "001.dcm").read_bytes()
    padded = content + bytes(10)
    (folder / "001.dcm").write_bytes(padded)
    assert read_volume(folder).images.shape == (1, 4, 5)
    (folder / "001.dcm").write_bytes(content[:-20] + b"abcd" + content[-20:])
    with pytest.raises(BadVolumeError, match="4 bytes follow"):
        read_volume(folder)
