import h5py
import numpy as np
import pytest

from loupe_tf.formats import load_kspace, load_mask
from loupe_tf.masks import SamplingMask, poisson_disc, random_lines
from loupe_tf.numpy_fourier import fftc, ifftc

ismrmrd = pytest.importorskip("ismrmrd")


@pytest.fixture
def kspace(rng):
    pair = rng.normal(size=(2, 3, 2, 8, 7))
    return (pair[0] + 1j * pair[1]).astype(np.complex64)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.mrd"


def read(path, **options):
    with load_kspace(path, **options) as volume:
        array = np.stack([volume[i] for i in range(len(volume))])
        assert volume.shape == array.shape
        return array


def test_acquired_columns(path, kspace, write_ismrmrd):
    mask = random_lines((8, 7), 2, 2, seed=0)
    write_ismrmrd(path, kspace, mask)
    expected = np.where(mask.array, kspace, 0)
    np.testing.assert_array_equal(read(path), expected)
    # The mask of the same file.
    np.testing.assert_array_equal(load_mask(path).array, mask.array)
    rows = read(path, lines="rows")
    np.testing.assert_array_equal(rows, expected.swapaxes(2, 3))
    with load_kspace(path) as volume:
        assert volume.field_of_view == (16, 21)
        assert volume.slice_spacing == 4
    with load_kspace(path, lines="rows") as volume:
        assert volume.field_of_view == (21, 16)


def test_oversampling_is_removed(path, kspace, write_ismrmrd):
    write_ismrmrd(path, kspace, oversampling=2)
    found = read(path)
    image = ifftc(kspace, axes=(2,))[:, :, 2:6]
    np.testing.assert_allclose(ifftc(found, (2,)), image, atol=1e-5)
    with load_kspace(path) as volume:
        assert volume.shape == (3, 2, 4, 7)
        assert volume.field_of_view == (8, 21)


def test_three_dimensions(path, kspace, write_ismrmrd):
    mask = poisson_disc((8, 7), 2, calibration=2, seed=0)
    scan = np.where(mask.array, kspace, 0)
    # (x, coils, y, z), with the read-out along x.
    write_ismrmrd(path, fftc(scan, (0,)).transpose(1, 0, 2, 3), mask)
    found = read(path)
    np.testing.assert_allclose(found, scan, atol=1e-5)
    # What was not acquired is zero, exactly.
    assert not found[..., ~mask.array].any()
    with load_kspace(path) as volume:
        assert volume.field_of_view == (3 * 8, 4)
        assert volume.slice_spacing == 2


def test_averages_and_repetitions(path, kspace, write_ismrmrd):
    def halves(acquisition):
        # Segments, of which only those of even lines come twice.
        acquisition.idx.average = acquisition.idx.repetition
        if acquisition.idx.repetition:
            acquisition.idx.repetition = 0
            return acquisition.idx.kspace_encode_step_1 % 2 == 0

    write_ismrmrd(path, kspace, change=halves, repetitions=2)
    expected = kspace.copy()
    expected[..., ::2] *= 1.5  # The mean of one and two times.
    np.testing.assert_allclose(read(path), expected, rtol=1e-6)

    write_ismrmrd(path, kspace, repetitions=2)
    np.testing.assert_array_equal(read(path), kspace)
    second = read(path, select={"repetition": 1})
    np.testing.assert_array_equal(second, 2 * kspace)


def test_noise_and_asymmetric_echoes(path, kspace, write_ismrmrd):
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

    write_ismrmrd(path, kspace, change=cut)
    expected = np.zeros_like(kspace)
    expected[:, :, 2:6, 1:] = kspace[:, :, 2:6, 1:]
    np.testing.assert_array_equal(read(path), expected)


def missing_slice(acquisition):
    return acquisition.idx.slice != 1


def reverse(acquisition):
    acquisition.setFlag(ismrmrd.ACQ_IS_REVERSE)


def late_echo(acquisition):
    acquisition.center_sample = 5


@pytest.mark.parametrize(
    "change, message",
    [
        (missing_slice, r"none of slices \[1\]"),
        (reverse, "ACQ_IS_REVERSE"),
        (late_echo, "samples -1 to 6"),
    ],
)
def test_refuses(path, kspace, write_ismrmrd, change, message):
    write_ismrmrd(path, kspace, change=change)
    with pytest.raises(ValueError, match=rf"scan\.mrd.*{message}"):
        load_kspace(path)


def test_refuses_options(path, kspace, write_ismrmrd):
    write_ismrmrd(path, kspace)
    for options, name in (
        ({"lines": "both"}, "lines"),
        ({"select": {"contrast": 1}}, "select"),
        ({"select": {"echo": 0}}, "select"),
        ({"encoding": 1}, "encoding"),
        ({"leading": "coils"}, "options"),
    ):
        with pytest.raises(ValueError, match=f"`{name}`"):
            load_kspace(path, **options)


def test_names_a_damaged_acquisition(path, kspace, write_ismrmrd):
    write_ismrmrd(path, kspace)
    with h5py.File(path, "a") as file:
        record = file["dataset/data"][7]
        record["data"] = record["data"][:-2]
        file["dataset/data"][7] = record
    with load_kspace(path) as volume:
        with pytest.raises(ValueError, match=r"scan\.mrd.*slice 1"):
            volume[1]


def test_empty_mask_file(path):
    """What `save_mask` writes are acquisitions without samples."""
    from loupe_tf.formats import save_mask

    mask = SamplingMask(np.eye(4)).replace(field_of_view=(4, 4))
    save_mask(mask, path)
    found = read(path)
    assert found.shape == (1, 1, 4, 4) and not found.any()
