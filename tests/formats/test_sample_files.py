import numpy as np
import pytest

from loupe_tf.formats import (
    load_samples,
    load_trajectory,
    set_memory_limit,
    write_cfl,
)
from loupe_tf.trajectories import cones, radial

SIZES = {"matrix": (16, 20), "field_of_view": (160, 240)}


@pytest.fixture
def spokes():
    return radial(3, 8, **SIZES)


@pytest.fixture
def samples(rng):
    parts = rng.normal(size=(2, 2, 4, 3, 8)).astype("float32")
    return parts[0] + 1j * parts[1]


def read(path, *arguments, **options):
    with load_samples(path, *arguments, **options) as volume:
        array = np.stack([volume[i] for i in range(len(volume))])
        assert volume.shape == array.shape and array.dtype == np.complex64
        return array, volume


def test_ismrmrd(scan_path, spokes, samples, write_samples):
    write_samples(scan_path, samples, spokes)
    found, volume = read(scan_path)
    np.testing.assert_array_equal(found, samples)
    np.testing.assert_allclose(
        volume.trajectory.positions, spokes.positions, atol=1e-7
    )
    assert volume.trajectory.matrix == (16, 20)
    assert (volume.field_of_view, volume.slice_spacing) == ((160, 240), 5)
    smaller = read(scan_path, matrix=(8, 10))[1]
    assert smaller.field_of_view == (80, 120)
    other = spokes.replace(provenance={"pattern": "measured"})
    assert read(scan_path, other)[1].trajectory == other


def test_slices_in_the_order_of_their_positions(
    scan_path, spokes, samples, write_samples
):
    def place(acquisition):
        acquisition.slice_dir[:] = 0, 0, 1
        acquisition.position[:] = 0, 0, [4, 0, 8][acquisition.idx.slice]

    samples = np.concatenate([samples, 2 * samples[:1]])
    write_samples(scan_path, samples, spokes, place)
    found, volume = read(scan_path)
    np.testing.assert_array_equal(found, samples[[1, 0, 2]])
    assert volume.slice_spacing == 4


def test_discarded_samples(scan_path, spokes, samples, write_samples):
    def discard(acquisition):
        acquisition.discard_pre, acquisition.discard_post = 2, 1

    write_samples(scan_path, samples, spokes, discard)
    found, volume = read(scan_path)
    np.testing.assert_array_equal(found, samples[..., 2:7])
    assert volume.trajectory.samples == 5


def test_files_without_a_trajectory(scan_path, spokes, samples, write_samples):
    write_samples(scan_path, samples, spokes, own=False)
    with pytest.raises(ValueError, match="scan.mrd.*trajectory of 2 or 3 axes"):
        load_samples(scan_path)
    found, volume = read(scan_path, spokes)
    np.testing.assert_array_equal(found, samples)
    assert volume.trajectory == spokes


def test_other_formats(tmp_path, spokes, samples):
    spokes.save(tmp_path / "t.cfl")
    array = samples.transpose(3, 2, 1, 0)  # (samples, shots, coils, slices)
    write_cfl(tmp_path / "k.cfl", array.reshape((1, 8, 3, 4) + (1,) * 9 + (2,)))
    found, volume = read(tmp_path / "k.cfl", tmp_path / "t.cfl")
    np.testing.assert_array_equal(found, samples)
    assert volume.trajectory == load_trajectory(tmp_path / "t.cfl")
    np.save(tmp_path / "k.npy", samples[0])
    found, _ = read(tmp_path / "k.npy", spokes, leading="coils")
    np.testing.assert_array_equal(found[0], samples[0])
    # A trajectory of BART itself needs a matrix.
    write_cfl(tmp_path / "t.cfl", np.zeros((3, 8, 3)))
    with pytest.raises(ValueError, match="`matrix`"):
        load_samples(tmp_path / "k.cfl", tmp_path / "t.cfl")
    load_samples(tmp_path / "k.cfl", tmp_path / "t.cfl", matrix=(8, 8))


def test_three_axes(scan_path, rng, write_samples):
    volume = cones(3, 8, matrix=(8, 16, 20), field_of_view=(40, 160, 240))
    samples = rng.normal(size=(1, 2, 3, 8)) + 0j
    write_samples(scan_path, samples, volume)
    found, opened = read(scan_path)
    assert opened.trajectory.axes == 3
    assert (opened.field_of_view, opened.slice_spacing) == ((160, 240), 5)
    np.testing.assert_array_equal(found, samples.astype("complex64"))
    write_samples(scan_path, np.repeat(samples, 2, axis=0), volume)
    with pytest.raises(ValueError, match="scan.mrd.*one volume.*2 slices"):
        load_samples(scan_path)


def test_bad_files(scan_path, tmp_path, spokes, samples, write_samples):
    def turn(acquisition):
        if acquisition.idx.slice:
            acquisition.traj[:] *= -1

    write_samples(scan_path, samples, spokes, turn)
    with pytest.raises(ValueError, match="scan.mrd.*slice 1 with positions"):
        read(scan_path)
    with pytest.raises(ValueError, match="scan.mrd.*Expected 3 shots of 7"):
        load_samples(scan_path, radial(3, 7))
    samples[1, 0, 0, 0] = np.nan
    write_samples(scan_path, samples, spokes)
    with pytest.raises(ValueError, match="scan.mrd.*finite.*slice 1"):
        read(scan_path)
    write_cfl(tmp_path / "k.cfl", samples)
    with pytest.raises(ValueError, match="k.cfl.*dimensions"):
        load_samples(tmp_path / "k.cfl", spokes)
    with pytest.raises(ValueError, match="`trajectory`.*k.cfl"):
        load_samples(tmp_path / "k.cfl")
    with pytest.raises(ValueError, match="`trajectory`.*a path"):
        load_samples(tmp_path / "k.cfl", 3)
    with pytest.raises(ValueError, match="`unit`. .*'bart'"):
        load_samples(tmp_path / "k.cfl", spokes, unit="1/m")
    set_memory_limit(1000)
    try:
        with pytest.raises(ValueError, match="scan.mrd.*memory"):
            load_samples(scan_path)
    finally:
        set_memory_limit(None)
