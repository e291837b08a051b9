import gzip
import os
import struct

import nibabel
import numpy as np
import pytest

import loupe_tf
from loupe_tf.datasets.building.readers import (
    find_volumes,
    read_header,
    read_volume,
)
from loupe_tf.formats.bad_volume import BadVolumeError


def write_nifti(
    path, array, zooms=(1, 1, 4), kind=nibabel.Nifti1Image, **header
):
    """Keywords call the header's methods: `slope_inter=(2, 5)`."""
    image = kind(array, np.diag([*zooms, 1.0]))
    for name, values in header.items():
        getattr(image.header, f"set_{name}")(*values)
    nibabel.save(image, path)
    return path


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
    assert read_header(path)[:3] == ((3, 5, 6), "", volume.spacing)


def test_nifti_slope_is_applied(tmp_path, array):
    path = write_nifti(tmp_path / "a.nii", array, slope_inter=(0.5, 5))
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


@pytest.mark.parametrize("slope", [np.nan, 0])
def test_slopes_that_mean_none(tmp_path, array, slope):
    path = write_nifti(tmp_path / "a.nii", array)
    content = bytearray(path.read_bytes())
    content[112:120] = struct.pack("<ff", slope, 7)
    path.write_bytes(content)
    images = read_volume(path).images
    np.testing.assert_array_equal(images, array.transpose(2, 0, 1))


@pytest.mark.parametrize(
    "shape, read", [((5, 1, 6), (1, 5, 6)), ((5, 6), (1, 5, 6))]
)
def test_the_axis_of_length_one_counts_slices(tmp_path, shape, read):
    path = write_nifti(tmp_path / "a.nii", np.ones(shape, "float32"))
    assert read_volume(path).images.shape == read
    assert read_header(path).shape == read


def test_description_is_no_acquisition(tmp_path, array):
    image = nibabel.Nifti1Image(array, np.eye(4))
    image.header["descrip"] = b"FSL5.0"
    nibabel.save(image, tmp_path / "a.nii")
    assert read_volume(tmp_path / "a.nii").acquisition == ""


@pytest.mark.parametrize(
    "units, zooms, spacing",
    [
        ("mm", (0.5, 0.7, 4), (4, 0.5, 0.7)),
        ("unknown", (0.5, 0.7, 4), (4, 0.5, 0.7)),
        ("meter", (0.0005, 0.0007, 0.004), (4, 0.5, 0.7)),
        ("micron", (500, 700, 4000), (4, 0.5, 0.7)),
        ("mm", (0.5, 0.7, np.inf), None),
        ("mm", (0.5, 0.7, np.nan), None),
    ],
)
def test_voxel_sizes(tmp_path, array, units, zooms, spacing):
    image = nibabel.Nifti1Image(array, None)
    image.header["pixdim"][1:4] = zooms
    image.header.set_xyzt_units(units)
    nibabel.save(image, tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii", slice_axis=2)
    expected = spacing and pytest.approx(spacing)
    assert volume.spacing == expected
    assert read_header(tmp_path / "a.nii", 2).spacing == volume.spacing


def test_negative_voxel_sizes_and_affine_that_is_not_finite(tmp_path, array):
    path = write_nifti(tmp_path / "a.nii", array, zooms=(0.5, 0.7, 4))
    content = bytearray(path.read_bytes())
    content[80:84] = struct.pack("<f", -0.5)
    content[280:284] = struct.pack("<f", np.nan)
    path.write_bytes(content)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.images, array.transpose(2, 0, 1))
    assert volume.spacing == pytest.approx((4, 0.5, 0.7))


@pytest.mark.parametrize(
    "kind, name",
    [
        (nibabel.AnalyzeImage, "a.img"),
        (nibabel.Spm99AnalyzeImage, "a.IMG"),
        (nibabel.Nifti1Pair, "a.img"),
        (nibabel.Nifti1Pair, "a.img.gz"),
        (nibabel.Nifti2Image, "a.nii"),
    ],
)
def test_pairs_and_other_headers(tmp_path, array, kind, name):
    array = array.astype("int16")
    nibabel.save(kind(array, np.diag([0.5, 0.7, 4, 1])), tmp_path / name)
    assert find_volumes(tmp_path, exclude="*.MAT") == [name]
    volume = read_volume(tmp_path / name)
    np.testing.assert_array_equal(volume.images, array.transpose(2, 0, 1))
    assert volume.spacing == pytest.approx((4, 0.5, 0.7))
    for path in tmp_path.iterdir():  # Both of a pair; SPM adds a .mat.
        if path.suffix != ".MAT":
            assert read_header(path)[:3] == ((3, 5, 6), "", volume.spacing)


@pytest.mark.parametrize("kind", [nibabel.AnalyzeImage, nibabel.Nifti1Pair])
def test_pairs_whose_voxels_begin_like_dicom(tmp_path, array, kind):
    """As very old DICOM files do, which have no preamble."""
    array = array.astype("int16")
    array[:4, 0, 0] = 8, 3, 5, 0
    nibabel.save(kind(array, np.eye(4)), tmp_path / "a.img")
    assert find_volumes(tmp_path) == ["a.img"]
    found = read_volume(tmp_path / "a.img").images
    np.testing.assert_array_equal(found, array.transpose(2, 0, 1))


def colours(shape):
    return np.ones(shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    "array, header, match",
    [
        # nibabel#979: a screenshot.
        (colours((5, 6, 3)), {}, "grey values.*'R', 'G', 'B'"),
        (np.ones((5, 6, 3, 7), "u1"), {}, "a series of 7.*four_to_three"),
        (np.ones((5, 6, 3, 1, 3), "u1"), {}, "5, 6, 3, 1, 3"),
        (np.ones((1, 6, 1), "u1"), {}, "two rows and two columns"),
        (np.ones((5, 6, 3), "u1"), {"intent": ("label",)}, "intent='label'"),
        (np.ones((5, 6, 3), "u1"), {"intent": ("t test", (9,))}, "'t test'"),
        (np.linspace(-495, 497, 90).reshape(5, 6, 3), {}, "not negative"),
        (np.full((5, 6, 3), np.nan), {}, "finite.*90"),
    ],
)
def test_no_images(tmp_path, array, header, match):
    path = tmp_path / "a.nii"
    write_nifti(path, array, **header)
    with pytest.raises(BadVolumeError, match=f"a.nii.*{match}"):
        read_volume(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_length_that_contradicts_the_header(tmp_path, array, name):
    path = write_nifti(tmp_path / name, array)
    packed = name.endswith(".gz")
    content = path.read_bytes()
    content = bytearray(gzip.decompress(content) if packed else content)
    content[46:48] = struct.pack("<h", 2)  # There are three slices.
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(BadVolumeError, match="472 bytes.*Received: 532"):
        read_volume(path)


def test_damage_that_only_the_checksum_shows(tmp_path, array):
    path = write_nifti(tmp_path / "a.nii.gz", array)
    # Stored as they are, so that the change unpacks well.
    content = bytearray(
        gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=0)
    )
    content[400] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadVolumeError, match="CRC"):
        read_volume(path)


def test_headers_that_ask_for_much(tmp_path, array):
    path = write_nifti(tmp_path / "a.nii", array)
    content = bytearray(path.read_bytes())
    content[42:48] = struct.pack("<hhh", 32000, 32000, 32000)
    path.write_bytes(content)
    with pytest.raises(BadVolumeError, match="asks for.*TiB"):
        read_volume(path)
    # Extensions of a header that unpack to much.
    content = bytearray(gzip.decompress(gzip.compress(content)))
    content[108:112] = struct.pack("<f", 1e12)
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(BadVolumeError, match="asks for"):
        read_header(path)


def test_packed_file_that_unpacks_to_too_much(tmp_path, array):
    path = write_nifti(tmp_path / "a.nii.gz", array)
    more = gzip.decompress(path.read_bytes()) + bytes(2**22)
    path.write_bytes(gzip.compress(more))
    loupe_tf.formats.set_memory_limit("1M")
    try:
        with pytest.raises(BadVolumeError, match="1 MiB.*asks for"):
            read_volume(path)
    finally:
        loupe_tf.formats.set_memory_limit(None)


def test_header_of_a_pair_that_is_a_pipe(tmp_path, array):
    path = tmp_path / "a.img"
    nibabel.save(nibabel.Nifti1Pair(array, np.eye(4)), path)
    (tmp_path / "a.hdr").unlink()
    os.mkfifo(tmp_path / "a.hdr")  # Reading it would wait for ever.
    with pytest.raises(BadVolumeError, match="a.hdr.*a pipe"):
        read_header(path)
