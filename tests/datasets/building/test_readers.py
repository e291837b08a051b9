import gzip
import sys
import warnings

import h5py
import nibabel
import numpy as np
import pydicom
import pytest

import loupe_tf
from loupe_tf.datasets.building import readers
from loupe_tf.datasets.building.readers import (
    find_volumes,
    read_header,
    read_volume,
)
from loupe_tf.datasets.building.simulate_fastmri import write_fastmri_volume
from loupe_tf.datasets.inspecting.inspector import Inspector
from loupe_tf.formats.bad_volume import BadVolumeError


def write_dicom(folder, array):
    folder.mkdir(parents=True)
    for i, pixels in enumerate(array):
        d = pydicom.Dataset()
        d.file_meta = pydicom.dataset.FileMetaDataset()
        d.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        d.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        d.file_meta.MediaStorageSOPInstanceUID = f"1.2.{i}"
        d.InstanceNumber = i
        d.Rows, d.Columns = pixels.shape
        d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit = 16, 16, 15
        d.PixelRepresentation = 0
        d.PixelData = pixels.astype("<u2").tobytes()
        d.save_as(folder / f"{i + 1:03d}.dcm", enforce_file_format=True)
    return folder


def write_nifti(path, array, zooms=(1, 1, 4)):
    image = nibabel.Nifti1Image(array, np.diag([*zooms, 1.0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    return path


@pytest.fixture
def array(rng):
    return rng.integers(0, 1000, size=(5, 6, 3)).astype("uint16")


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
    assert volume.spacing == pytest.approx((3, 0.4375, 0.4375))
    assert volume.source == "simulated"
    assert volume.combined_by == ("rss" if coils else "emulated_singlecoil")
    assert read_header(path)[:3] == (expected.shape, patient, volume.spacing)


@pytest.mark.parametrize(
    "array, shape",
    [
        (np.ones((5, 6), "float64"), (1, 5, 6)),
        (np.ones((2, 5, 6), "int16"), (2, 5, 6)),
        (np.ones((2, 5, 6, 1), "float16"), (2, 5, 6)),
        (np.ones((5, 6, 1), "uint8"), (1, 5, 6)),  # One image, one channel.
        (np.full((2, 5, 6), 1j, "complex64"), (2, 5, 6)),
    ],
)
def test_numpy(tmp_path, array, shape):
    np.save(tmp_path / "a.npy", array)
    volume = read_volume(tmp_path / "a.npy")
    assert read_header(tmp_path / "a.npy")[:3] == (shape, "", None)
    assert volume.stored == str(array.dtype)
    np.testing.assert_array_equal(volume.images, np.ones(shape, "float32"))


def test_source_says_what_was_made_of_the_numbers(tmp_path):
    array = np.ones((2, 5, 6))
    for name, change, source in (
        ("a", array, "magnitude_image"),
        ("b", array * 1j, "magnitude_of_complex"),
        ("c", array - 1.05 * np.eye(5, 6), "signed_image"),
    ):
        np.save(tmp_path / f"{name}.npy", change)
        assert read_volume(tmp_path / f"{name}.npy").source == source
    inspector = Inspector()
    inspector.add(array[0], volume="b", source="magnitude_of_complex")
    found = inspector.result()["hermitian"]
    assert "it is dropped" in found.value and "--complex" in found.effect


@pytest.mark.parametrize("name", ["a.npy", "a.nii.gz"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_the_phase_is_kept(tmp_path, rng, name, dtype):
    array = rng.normal(size=(5, 6, 3, 2)).view("complex128")[..., 0]
    array = array.astype(dtype)
    if name.endswith("npy"):
        np.save(tmp_path / name, array)
    else:
        write_nifti(tmp_path / name, np.moveaxis(array, 0, 2))
    assert read_header(tmp_path / name).is_complex
    volume = read_volume(tmp_path / name, complex_images=True)
    assert volume.images.dtype == "complex64"
    assert volume.source == "complex_image"
    np.testing.assert_allclose(volume.images, array, rtol=1e-6)


@pytest.mark.parametrize(
    "array, match",
    [
        (np.ones((2, 5, 6)), "a.npy.*complex values.*real ones"),
        (np.full((2, 5, 6), 1j * np.nan), "finite.*60"),
        (np.full((2, 5, 6), 1e300j), "finite.*60"),
        (np.zeros((2, 5, 6), "complex64"), "maximum above 0"),
    ],
)
def test_bad_complex_images(tmp_path, array, match):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(BadVolumeError, match=match):
        read_volume(tmp_path / "a.npy", complex_images=True)


@pytest.mark.parametrize(
    "array, match",
    [
        (np.full((2, 5, 6), np.nan), "finite.*60"),
        (np.full((2, 5, 6), 1e300), "finite.*60"),
        (np.zeros((2, 5, 6)), "maximum above 0"),
        (-np.ones((2, 5, 6)), "maximum above 0"),
        (np.arange(-9.0, 51).reshape(2, 5, 6), "not negative.*from -9 to 50"),
        (np.ones((3, 5, 1, 1)), "two rows and two columns.*5, 1, 1"),
        (np.ones(6), "three axes"),
        (np.ones((2, 5, 6, 2)), "three axes"),
        (np.ones((0, 5, 6)), "three axes"),
        (np.array(["a"]), "numbers"),
        (np.array([{}]), "cannot be read.*objects"),
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
    (tmp_path / "a/list.csv").write_text("x")
    (tmp_path / "b/list.csv").write_text("x")
    for ending in ("hdr", "img"):
        (tmp_path / f"f.{ending}").write_bytes(b"of Analyze")
    (tmp_path / "g.hdr").write_bytes(b"of BART")
    every = [
        "a/x_FLAIR.nii.gz",
        "a/y_FLAIR.nii",
        "b/x_T1.nii.gz",
        "c/series",
        "d",
        "e.npy",
        "f.img",
    ]
    with pytest.warns(UserWarning, match="Skipped") as found:
        assert find_volumes(tmp_path) == every
    (warning,) = found
    text = f"4 files in {tmp_path} that are not volumes: README, "
    assert text in str(warning.message)
    assert "a/list.csv and 1 like it, g.hdr" in str(warning.message)
    assert find_volumes(tmp_path, "*FLAIR*") == every[:2]
    assert find_volumes(tmp_path, ["*FLAIR*", "e*"]) == [*every[:2], "e.npy"]
    assert find_volumes(tmp_path, exclude=["?/*", "[Rfg]*"]) == ["d", "e.npy"]
    assert read_volume(tmp_path / "d").images.shape == (1, 4, 5)


def test_folders_are_reached_once(tmp_path, array):
    write_nifti(tmp_path / "store/a.nii", array)
    data = tmp_path / "data"
    data.mkdir()
    for name in ("one", "two"):
        (data / name).symlink_to(tmp_path / "store")
    (tmp_path / "store/loop").symlink_to(data)
    assert find_volumes(data) == ["one/a.nii"]


@pytest.mark.parametrize("name", ["a.npy", "a.nii.gz", "a.h5"])
def test_memory_limit(tmp_path, array, name):
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, array)
    elif name == "a.h5":
        write_fastmri_volume(path, slices=2, size=(24, 20), recon_size=(16, 16))
    else:
        write_nifti(path, array)
    loupe_tf.formats.set_memory_limit(1000)
    try:
        with pytest.raises(BadVolumeError, match=f"{name}.*memory"):
            read_volume(path)
    finally:
        loupe_tf.formats.set_memory_limit(None)


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


def test_kspace_that_is_taken_for_images_is_told(tmp_path):
    y, x = np.mgrid[-1:1:32j, -1:1:36j]
    image = (np.hypot(x, y) < 0.8) * np.exp(1j * x)
    kspace = np.fft.fftshift(np.fft.fft2(image))
    np.save(tmp_path / "kspace.npy", kspace)
    np.save(tmp_path / "image.npy", image)
    with pytest.warns(UserWarning, match="kspace.npy looks like k-space: 9"):
        read_volume(tmp_path / "kspace.npy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_volume(tmp_path / "image.npy")
