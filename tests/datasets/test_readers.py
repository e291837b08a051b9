import gzip
import sys

import h5py
import nibabel
import numpy as np
import pydicom
import pytest

from loupe_tf.datasets import readers
from loupe_tf.datasets.readers import find_volumes, read_header, read_volume
from loupe_tf.datasets.simulate_fastmri import write_fastmri_volume
from loupe_tf.datasets.volume_reader import BadVolumeError


def write_nifti(path, array, zooms=(1, 1, 4), slope=None):
    image = nibabel.Nifti1Image(array, np.diag([*zooms, 1.0]))
    if slope is not None:
        image.header.set_slope_inter(slope, 5)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    return path


def write_dicom(folder, array, **tags):
    """Slices of a series, whose file names run against their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    series = pydicom.uid.generate_uid()
    for i, pixels in enumerate(array):
        meta = pydicom.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        d = pydicom.Dataset()
        d.file_meta = meta
        d.SOPClassUID = meta.MediaStorageSOPClassUID
        d.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        d.SeriesInstanceUID = series
        d.PatientID, d.SeriesDescription = "P7", "T2 TSE"
        d.InstanceNumber = len(array) - i
        # An oblique slice: the normal is (0, -0.6, 0.8).
        d.ImageOrientationPatient = [1, 0, 0, 0, 0.8, 0.6]
        d.ImagePositionPatient = [0, -0.6 * 3 * i, 0.8 * 3 * i]
        d.PixelSpacing, d.SliceThickness = [0.5, 0.7], 2.5
        d.Rows, d.Columns = pixels.shape
        d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
        d.PixelRepresentation = 0
        d.RescaleSlope, d.RescaleIntercept = 2 + i, 1
        for name, value in tags.items():
            setattr(d, name, value(i) if callable(value) else value)
        d.PixelData = pixels.astype("<u2").tobytes()
        name = f"{len(array) - i:03d}.dcm"
        d.save_as(folder / name, enforce_file_format=True)
    return folder


@pytest.fixture
def array(rng):
    return rng.integers(0, 1000, size=(5, 6, 3)).astype("uint16")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti(tmp_path, array, name):
    path = write_nifti(tmp_path / name, array, zooms=(0.5, 0.7, 4))
    volume = read_volume(path)
    assert volume.images.dtype == np.float32
    np.testing.assert_array_equal(volume.images, array.transpose(2, 0, 1))
    assert volume.stored == "uint16" and volume.patient == ""
    assert volume.source == "magnitude_image"
    assert volume.spacing == pytest.approx((4, 0.5, 0.7))
    assert read_header(path) == ((3, 5, 6), "", volume.spacing)


def test_nifti_slope_is_applied(tmp_path, array):
    path = write_nifti(tmp_path / "a.nii", array.astype("int16"), slope=0.5)
    stored = np.asarray(nibabel.load(path).dataobj)
    found = read_volume(path).images
    np.testing.assert_allclose(found, stored.transpose(2, 0, 1), rtol=1e-6)


@pytest.mark.parametrize(
    "zooms, option, axis",
    [
        ((1, 1, 4), None, 2),
        ((1, 4, 1), None, 1),
        ((4, 1, 1), None, 0),
        ((1, 1, 1), None, 2),  # Isotropic: the last.
        ((1.1, 1, 1), None, 2),  # No thick slices.
        ((1, 4, 4), None, 2),
        ((1, 1, 4), 0, 0),
        ((1, 1, 4), 1, 1),
    ],
)
def test_slice_axis(tmp_path, array, zooms, option, axis):
    path = write_nifti(tmp_path / "a.nii", array, zooms)
    expected = np.moveaxis(array, axis, 0)
    volume = read_volume(path, slice_axis=option)
    np.testing.assert_array_equal(volume.images, expected)
    assert read_header(path, slice_axis=option)[0] == expected.shape


def test_nifti_of_one_time_point_and_complex(tmp_path, array):
    path = write_nifti(tmp_path / "a.nii", array[..., None])
    assert read_volume(path).images.shape == (3, 5, 6)
    path = write_nifti(tmp_path / "b.nii", (3j * array).astype("complex64"))
    images = read_volume(path).images
    np.testing.assert_allclose(images, 3.0 * array.transpose(2, 0, 1))


def test_dicom(tmp_path, rng):
    array = rng.integers(0, 4000, size=(4, 6, 5))
    folder = write_dicom(tmp_path / "series", array)
    volume = read_volume(folder)
    expected = array * np.arange(2, 6)[:, None, None] + 1.0
    np.testing.assert_array_equal(volume.images, expected)
    assert volume.patient == "P7" and volume.acquisition == "T2 TSE"
    assert volume.spacing == pytest.approx((3, 0.5, 0.7))
    assert volume.stored == "uint12"
    assert read_header(folder) == ((4, 6, 5), "P7", volume.spacing)
    one = read_volume(folder / "004.dcm")
    np.testing.assert_array_equal(one.images, expected[:1])


def test_dicom_without_positions_goes_by_instance_number(tmp_path, rng):
    array = rng.integers(0, 4000, size=(3, 6, 5))
    folder = write_dicom(
        tmp_path / "series", array, ImagePositionPatient=None, RescaleSlope=1
    )
    images = read_volume(folder).images
    np.testing.assert_array_equal(images, array[::-1] + 1.0)


@pytest.mark.parametrize(
    "tags, match",
    [
        ({"SeriesInstanceUID": lambda i: f"1.2.{i}"}, "one SeriesInstanceUID"),
        ({"PatientID": lambda i: f"P{i}"}, "one PatientID.*'P0', 'P1'"),
        ({"ImagePositionPatient": [0, 0, 0]}, "3 files at 1 positions"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"Rows": 7}, "can be read"),
        ({"SamplesPerPixel": 3}, "one sample a pixel"),
    ],
)
def test_bad_series(tmp_path, tags, match):
    folder = write_dicom(tmp_path / "s", np.ones((3, 6, 5)), **tags)
    with pytest.raises(BadVolumeError, match=match):
        read_volume(folder)


@pytest.mark.parametrize("coils", [None, 2])
def test_fastmri(tmp_path, coils):
    path = tmp_path / "file1.h5"
    write_fastmri_volume(
        path, slices=2, size=(24, 20), recon_size=(16, 16), coils=coils
    )
    with h5py.File(path) as file:
        name = "reconstruction_rss" if coils else "reconstruction_esc"
        expected, patient = file[name][()], file.attrs["patient_id"]
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.images, expected)
    assert volume.patient == patient and volume.acquisition
    assert volume.source == "simulated"
    assert volume.combined_by == ("rss" if coils else "emulated_singlecoil")
    assert read_header(path)[:2] == (expected.shape, patient)


@pytest.mark.parametrize(
    "array, shape",
    [
        (np.ones((5, 6), "float64"), (1, 5, 6)),
        (np.ones((2, 5, 6), "int16"), (2, 5, 6)),
        (np.ones((2, 5, 6, 1), "float16"), (2, 5, 6)),
        (np.full((2, 5, 6), 1j, "complex64"), (2, 5, 6)),
    ],
)
def test_numpy(tmp_path, array, shape):
    np.save(tmp_path / "a.npy", array)
    volume = read_volume(tmp_path / "a.npy")
    assert read_header(tmp_path / "a.npy") == (shape, "", None)
    assert volume.stored == str(array.dtype)
    np.testing.assert_array_equal(volume.images, np.ones(shape, "float32"))


@pytest.mark.parametrize(
    "array, match",
    [
        (np.full((2, 5, 6), np.nan), "finite.*60"),
        (np.full((2, 5, 6), 1e300), "finite.*60"),
        (np.zeros((2, 5, 6)), "maximum above 0"),
        (-np.ones((2, 5, 6)), "maximum above 0"),
        (np.ones(6), "three axes"),
        (np.ones((2, 5, 6, 2)), "three axes"),
        (np.ones((0, 5, 6)), "three axes"),
        (np.array(["a"]), "numbers"),
        (np.array([{}]), "can be read.*objects"),
    ],
)
def test_bad_numpy(tmp_path, array, match):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(BadVolumeError, match=f"a.npy.*{match}") as error:
        read_volume(tmp_path / "a.npy")
    assert error.value.volume == str(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.npy", "s/003.dcm"])
@pytest.mark.parametrize("share", [0.6, 0.99, "zeros", "empty"])
def test_truncated_or_overwritten_files(tmp_path, rng, name, share):
    array = rng.integers(0, 1000, size=(20, 30, 3)).astype("uint16")
    path = tmp_path / name
    if path.suffix == ".dcm":
        write_dicom(path.parent, array.transpose(2, 0, 1))
    elif path.suffix == ".npy":
        np.save(path, array)
    else:
        write_nifti(path, array)
    content = path.read_bytes()
    if share == "zeros":
        path.write_bytes(bytes(len(content)))
    elif share == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(content[: int(share * len(content))])
    volume = path.parent if path.suffix == ".dcm" else path
    with pytest.raises(BadVolumeError, match="Expected"):
        read_volume(volume)


def test_not_a_volume(tmp_path):
    (tmp_path / "a.txt").write_text("no volume")
    for name in ("a.txt", ".", "none.nii"):
        with pytest.raises(BadVolumeError, match="Expected"):
            read_volume(tmp_path / name)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(b"not NIfTI" * 99))
    for read in (read_header, read_volume):
        with pytest.raises(BadVolumeError, match="NIfTI"):
            read(tmp_path / "b.nii.gz")


def test_find_volumes(tmp_path, array):
    for name in ("b/x_T1.nii.gz", "a/y_FLAIR.nii", "a/x_FLAIR.nii.gz"):
        write_nifti(tmp_path / name, array)
    write_dicom(tmp_path / "c/series", np.ones((2, 4, 5)))
    # Files without an ending are found by what they begin with.
    bare = write_dicom(tmp_path / "d", np.ones((1, 4, 5)))
    (bare / "001.dcm").rename(bare / "IM0001")
    np.save(tmp_path / "e.npy", np.ones((4, 5)))
    (tmp_path / "a/._y_FLAIR.nii").write_bytes(b"of a file manager")
    (tmp_path / "README").write_text("no volume")
    every = [
        "a/x_FLAIR.nii.gz",
        "a/y_FLAIR.nii",
        "b/x_T1.nii.gz",
        "c/series",
        "d",
        "e.npy",
    ]
    assert find_volumes(tmp_path) == every
    assert find_volumes(tmp_path, "*FLAIR*") == every[:2]
    assert find_volumes(tmp_path, ["*FLAIR*", "e*"]) == [*every[:2], "e.npy"]
    assert find_volumes(tmp_path, exclude="?/*") == ["d", "e.npy"]
    assert read_volume(tmp_path / "d").images.shape == (1, 4, 5)


def test_invalid_arguments(tmp_path):
    with pytest.raises(ValueError, match="`folder`.*none"):
        find_volumes(tmp_path / "none")
    with pytest.raises(ValueError, match="`slice_axis`.*3"):
        read_volume(tmp_path, slice_axis=3)


@pytest.mark.parametrize("name", ["nibabel", "pydicom"])
def test_missing_package(tmp_path, monkeypatch, array, name):
    nifti = write_nifti(tmp_path / "a.nii", array)
    series = write_dicom(tmp_path / "s", np.ones((2, 4, 5)))
    monkeypatch.setitem(sys.modules, name, None)
    path = {"nibabel": nifti, "pydicom": series}[name]
    with pytest.raises(ImportError, match=rf"{name}.*loupe-tf\[volumes\]"):
        readers.read_header(path)
