import warnings

import h5py
import numpy as np
import pytest

import loupe_tf
from loupe_tf.formats import BadFileError, load_kspace, load_mask
from loupe_tf.masks import SamplingMask, poisson_disc, random_lines
from loupe_tf.numpy_fourier import fftc, ifftc
from loupe_tf.reconstruction import ZeroFilled

ismrmrd = pytest.importorskip("ismrmrd")


def test_acquired_columns(scan_path, kspace, write_ismrmrd, read_kspace):
    mask = random_lines((8, 7), 2, 2, seed=0)
    write_ismrmrd(scan_path, kspace, mask)
    expected = np.where(mask.array, kspace, 0)
    np.testing.assert_array_equal(read_kspace(scan_path), expected)
    # The mask of the same file.
    np.testing.assert_array_equal(load_mask(scan_path).array, mask.array)
    rows = read_kspace(scan_path, lines="rows")
    np.testing.assert_array_equal(rows, expected.swapaxes(2, 3))
    with load_kspace(scan_path) as volume:
        assert volume.field_of_view == (16, 21)
        assert volume.slice_spacing == 4
    with load_kspace(scan_path, lines="rows") as volume:
        assert volume.field_of_view == (21, 16)


def test_oversampling_is_removed(scan_path, kspace, write_ismrmrd, read_kspace):
    write_ismrmrd(scan_path, kspace, oversampling=2)
    found = read_kspace(scan_path)
    image = ifftc(kspace, axes=(2,))[:, :, 2:6]
    np.testing.assert_allclose(ifftc(found, (2,)), image, atol=1e-5)
    with load_kspace(scan_path) as volume:
        assert volume.shape == (3, 2, 4, 7)
        assert volume.field_of_view == (8, 21)


@pytest.mark.parametrize("oversampling", [1, 2])
@pytest.mark.parametrize("lines", ["columns", "rows"])
def test_a_scan_is_its_own_mask(
    scan_path, kspace, write_ismrmrd, oversampling, lines
):
    """It has the matrix and the field of view of its k-space."""
    mask = random_lines((8, 7), 2, 2, seed=0)
    write_ismrmrd(scan_path, kspace, mask, oversampling=oversampling)
    found = load_mask(scan_path, lines=lines)
    with load_kspace(scan_path, lines=lines) as volume:
        assert found.matrix == volume.shape[2:]
        assert found.field_of_view == volume.field_of_view
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image = loupe_tf.reconstruct(ZeroFilled(), volume, found)
    assert np.isfinite(image).all()


def test_more_samples_than_the_matrix_of_which_some_are_discarded(
    scan_path, kspace, write_ismrmrd, read_kspace
):
    def more(acquisition):
        extra = np.full((2, 3), 1e3 + 1j, np.complex64)
        data = np.concatenate([extra, acquisition.data, extra[:, :2]], axis=1)
        acquisition.resize(number_of_samples=13, active_channels=2)
        acquisition.data[:] = data
        acquisition.center_sample = 4 + 3
        acquisition.discard_pre, acquisition.discard_post = 3, 2

    write_ismrmrd(scan_path, kspace, change=more)
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)


def removed(acquisition):
    """The read-out of a converter that has removed oversampling."""
    data = fftc(ifftc(acquisition.data, (1,))[:, 2:6], (1,))
    acquisition.resize(number_of_samples=4, active_channels=2)
    acquisition.data[:] = data
    acquisition.center_sample = 2


def test_oversampling_that_was_removed_already(
    scan_path, kspace, write_ismrmrd, read_kspace
):
    """The header still speaks of 8 samples over 16 mm."""
    write_ismrmrd(scan_path, kspace, oversampling=2)
    expected = read_kspace(scan_path)
    write_ismrmrd(scan_path, kspace, oversampling=2, change=removed)
    np.testing.assert_allclose(read_kspace(scan_path), expected, atol=1e-6)
    with load_kspace(scan_path) as volume:
        assert volume.shape == (3, 2, 4, 7)
        assert volume.field_of_view == (8, 21)

    def change_header(header):
        """Without its field of view it could be a scan of low resolution."""
        header.encoding[0].encodedSpace.fieldOfView_mm.x = 0

    write_ismrmrd(scan_path, kspace, None, 2, removed, 1, change_header)
    with pytest.raises(BadFileError, match="4 samples in the middle"):
        load_kspace(scan_path)


@pytest.mark.parametrize(
    "matrix, view, message",
    [
        # A header of which the matrix alone was changed: the crop to half of
        # the field of view was made already.
        (8, 8.0, "8 over 8.0 mm, and 8 over 16.0 mm: was oversampling"),
        # A field of view in cm.
        (8, 1.6, "8 over 1.6 mm"),
    ],
)
def test_fields_of_view_that_contradict_the_matrix(
    scan_path, kspace, write_ismrmrd, matrix, view, message
):
    def change_header(header):
        space = header.encoding[0].reconSpace
        space.matrixSize.x, space.fieldOfView_mm.x = matrix, view

    write_ismrmrd(scan_path, kspace, change_header=change_header)
    with pytest.raises(BadFileError, match=message):
        load_kspace(scan_path)


@pytest.mark.parametrize("view", [0.0, np.nan, 17.0, 16.0])
def test_unknown_or_larger_field_of_view(
    scan_path, kspace, write_ismrmrd, view, read_kspace
):
    def change_header(header):
        header.encoding[0].reconSpace.fieldOfView_mm.x = view

    write_ismrmrd(scan_path, kspace, change_header=change_header)
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    with load_kspace(scan_path) as volume:
        assert volume.field_of_view == (16, 21)


def test_zero_filled_images_are_cropped(scan_path, kspace, write_ismrmrd):
    """Pixels of reconSpace are half as large, on both axes."""

    def change_header(header):
        size = header.encoding[0].reconSpace.matrixSize
        size.x, size.y = 8, 14

    write_ismrmrd(scan_path, kspace, None, 2, None, 1, change_header)
    with load_kspace(scan_path) as volume:
        assert volume.shape == (3, 2, 4, 7)


@pytest.mark.parametrize(
    "places, order, spacing",
    [
        ((0, 0, 0), (0, 1, 2), 4),  # Thickness.
        ((-6, 0, 6), (0, 1, 2), 6),
        ((6, 0, -6), (0, 1, 2), 6),
        ((0, 12, 6), (0, 2, 1), 6),  # In the order of acquisition.
        ((0, 6, 13), (0, 1, 2), None),
        ((0, 6, 6), (0, 1, 2), None),
        ((0, np.nan, 6), (0, 1, 2), 4),
    ],
)
def test_positions(
    scan_path, kspace, write_ismrmrd, places, order, spacing, read_kspace
):
    def change(acquisition):
        # Oblique: y is no part of it.
        place = places[acquisition.idx.slice]
        acquisition.position[:] = 0.6 * place, 7, 0.8 * place
        acquisition.slice_dir[:] = 0.6, 0, 0.8

    write_ismrmrd(scan_path, kspace, change=change)
    np.testing.assert_array_equal(read_kspace(scan_path), kspace[list(order)])
    with load_kspace(scan_path) as volume:
        assert volume.slice_spacing == spacing or np.isclose(
            volume.slice_spacing, spacing
        )


def test_slices_of_several_directions(
    scan_path, kspace, write_ismrmrd, read_kspace
):
    def change(acquisition):
        acquisition.position[:] = 3 * (acquisition.idx.slice,)
        acquisition.slice_dir[:] = tuple(np.eye(3)[acquisition.idx.slice])

    write_ismrmrd(scan_path, kspace, change=change)
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    with load_kspace(scan_path) as volume:
        assert volume.slice_spacing is None


@pytest.mark.parametrize(
    "low, high, message",
    [
        (0, 4, r"0 to 4. Received: none of slices \[3, 4\]"),
        (0, 1, r"0 to 1.*some of slices \[2\]"),
    ],
)
def test_limits_of_slices(scan_path, kspace, write_ismrmrd, low, high, message):
    def change_header(header):
        header.encoding[0].encodingLimits.slice = ismrmrd.xsd.limitType(
            minimum=low, maximum=high, center=low
        )

    write_ismrmrd(scan_path, kspace, change_header=change_header)
    with pytest.raises(BadFileError, match=message):
        load_kspace(scan_path)


def test_averages_of_which_samples_are_discarded(
    scan_path, kspace, write_ismrmrd, read_kspace
):
    def change(acquisition):
        if acquisition.idx.repetition:
            acquisition.idx.average = 1
            acquisition.idx.repetition = 0
            acquisition.discard_pre = 3

    write_ismrmrd(scan_path, kspace, change=change, repetitions=2)
    kspace[:, :, 3:] *= 1.5  # The mean of one and two times.
    np.testing.assert_allclose(read_kspace(scan_path), kspace, rtol=1e-6)


def test_three_dimensions(scan_path, kspace, write_ismrmrd, read_kspace):
    mask = poisson_disc((8, 7), 2, calibration=2, seed=0)
    scan = np.where(mask.array, kspace, 0)
    # (x, coils, y, z), with the read-out along x.
    write_ismrmrd(scan_path, fftc(scan, (0,)).transpose(1, 0, 2, 3), mask)
    found = read_kspace(scan_path)
    np.testing.assert_allclose(found, scan, atol=1e-5)
    # What was not acquired is zero, exactly.
    assert not found[..., ~mask.array].any()
    with load_kspace(scan_path) as volume:
        assert volume.field_of_view == (3 * 8, 4)
        assert volume.slice_spacing == 2


def test_averages_and_repetitions(
    scan_path, kspace, write_ismrmrd, read_kspace
):
    def halves(acquisition):
        # Segments, of which only those of even lines come twice.
        acquisition.idx.average = acquisition.idx.repetition
        if acquisition.idx.repetition:
            acquisition.idx.repetition = 0
            return acquisition.idx.kspace_encode_step_1 % 2 == 0

    write_ismrmrd(scan_path, kspace, change=halves, repetitions=2)
    expected = kspace.copy()
    expected[..., ::2] *= 1.5  # The mean of one and two times.
    np.testing.assert_allclose(read_kspace(scan_path), expected, rtol=1e-6)

    write_ismrmrd(scan_path, kspace, repetitions=2)
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    second = read_kspace(scan_path, select={"repetition": 1})
    np.testing.assert_array_equal(second, 2 * kspace)


def test_noise_and_asymmetric_echoes(
    scan_path, kspace, write_ismrmrd, read_kspace
):
    def cut(acquisition):
        """A first line of noise, and echoes without their first samples."""
        first = acquisition.idx.kspace_encode_step_1 == 0
        if first:
            acquisition.setFlag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        data = acquisition.data[:, 1:].copy()
        acquisition.resize(number_of_samples=7, active_channels=2)
        acquisition.data[:] = data
        acquisition.center_sample = 3
        acquisition.discard_pre = 1
        acquisition.discard_post = 2

    write_ismrmrd(scan_path, kspace, change=cut)
    expected = np.zeros_like(kspace)
    expected[:, :, 2:6, 1:] = kspace[:, :, 2:6, 1:]
    np.testing.assert_array_equal(read_kspace(scan_path), expected)


def missing_slice(acquisition):
    return acquisition.idx.slice != 1


def reverse(acquisition):
    acquisition.setFlag(ismrmrd.ACQ_IS_REVERSE)


def late_echo(acquisition):
    acquisition.center_sample = 5


def no_echo(acquisition):
    acquisition.center_sample = 8


def no_centre(acquisition):
    """What packages leave that do not set it."""
    acquisition.center_sample = 0


def no_samples(acquisition):
    acquisition.discard_pre = acquisition.discard_post = 4


def other_channels(acquisition):
    if acquisition.idx.kspace_encode_step_1 == 2:
        acquisition.resize(number_of_samples=8, active_channels=1)
        acquisition.center_sample = 4


def middle(acquisition):
    """Half of the samples, and no header that could mean it."""
    acquisition.resize(number_of_samples=4, active_channels=2)
    acquisition.center_sample = 2


def one_in_the_middle(acquisition):
    if acquisition.idx.kspace_encode_step_1 == 2:
        middle(acquisition)


@pytest.mark.parametrize(
    "change, message",
    [
        (missing_slice, r"none of slices \[1\]"),
        (reverse, "ACQ_IS_REVERSE"),
        (late_echo, "samples -1 to 6"),
        (no_echo, "DC, center_sample, within the samples. Received: 8 of 8"),
        (no_centre, "DC, center_sample, within the samples. Received: 0 of 8"),
        (no_samples, "within the 8 samples"),
        (other_channels, r"\[1, 2\] channels"),
        (middle, "acquisitions of 4 samples in the middle"),
        (one_in_the_middle, "acquisitions of 4 samples in the middle"),
    ],
)
def test_refuses(scan_path, kspace, write_ismrmrd, change, message):
    write_ismrmrd(scan_path, kspace, change=change)
    with pytest.raises(ValueError, match=rf"scan\.mrd.*{message}"):
        load_kspace(scan_path)


def test_refuses_options(scan_path, kspace, write_ismrmrd):
    write_ismrmrd(scan_path, kspace)
    for options, name in (
        ({"lines": "both"}, "lines"),
        ({"select": {"contrast": 1}}, "select"),
        ({"select": {"echo": 0}}, "select"),
        ({"encoding": 1}, "encoding"),
        ({"leading": "coils"}, "leading"),
    ):
        with pytest.raises(ValueError, match=f"`{name}`"):
            load_kspace(scan_path, **options)


def test_names_a_damaged_acquisition(scan_path, kspace, write_ismrmrd):
    write_ismrmrd(scan_path, kspace)
    with h5py.File(scan_path, "a") as file:
        record = file["dataset/data"][7]
        record["data"] = record["data"][:-2]
        file["dataset/data"][7] = record
    with load_kspace(scan_path) as volume:
        with pytest.raises(ValueError, match=r"scan\.mrd.*slice 1"):
            volume[1]


def test_empty_mask_file(scan_path, read_kspace):
    """What `save_mask` writes are acquisitions without samples."""
    from loupe_tf.formats import save_mask

    mask = SamplingMask(np.eye(4)).replace(field_of_view=(4, 4))
    save_mask(mask, scan_path)
    found = read_kspace(scan_path)
    assert found.shape == (1, 1, 4, 4) and not found.any()
