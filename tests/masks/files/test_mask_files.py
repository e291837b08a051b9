"""Round trips in every format, over shapes, accelerations, calibration."""

import itertools
import os
import pathlib

import numpy as np
import pytest

from loupe_tf import cli
from loupe_tf.formats import load_mask, save_mask, set_memory_limit
from loupe_tf.masks import SamplingMask, gaussian, random_lines
from loupe_tf.masks.acquisition_order import ORDERS
from loupe_tf.masks.files.mask_files import (
    FORMATS,
    Format,
    formats_by_suffix,
)

SUFFIXES = formats_by_suffix()
NEEDS = {".mrd": "ismrmrd", ".seq": "pypulseq"}
# Those that hold everything.
WHOLE = [".npz", ".json", ".csv", ".cfl", ".hdr", ".h5", ".hdf5", ".mrd"]

VIEW = (240.0, 200.0)


def masks():
    cases = itertools.product(
        ((16, 24), (17, 24), (16, 25), (21, 19)),
        ("columns", "rows", None),
        ((2.5, 0), (4, 3), (6.3, 2)),
    )
    for seed, (shape, lines, (rate, calibration)) in enumerate(cases):
        if lines:
            mask = random_lines(shape, rate, calibration, lines, seed)
        else:
            mask = gaussian(shape, rate, calibration, std=0.3, seed=seed)
        facts = {
            "weights_sha256": "0" * 64,
            "slope_history": [200.0, 300.0 + seed],
            "data": "knees, ½ of them # \n and more",
        }
        yield mask.replace(
            slope=0.1 + seed,
            provenance={**mask.provenance, **facts},
            field_of_view=(240.0, 200.1 + seed) if seed % 3 else None,
        )


def fits(mask, suffix):
    if suffix in (".mrd", ".seq") and mask.field_of_view is None:
        return False
    return mask.lines == "columns" if suffix in (".h5", ".hdf5") else True


def need(suffix):
    pytest.importorskip(NEEDS.get(suffix, "numpy"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip(tmp_path, suffix):
    need(suffix)
    path = tmp_path / f"mask{suffix}"
    count = 0
    for mask in masks():
        if not fits(mask, suffix):
            continue
        points = suffix == ".seq" and not mask.lines
        options = {"readout": (8, 250)} if points else {}
        save_mask(mask, path, shift=False, **options)
        found = load_mask(path, shift=False)
        np.testing.assert_array_equal(found.array, mask.array)
        assert found.array.dtype == bool
        count += 1
        if suffix in WHOLE:
            assert found == mask
        elif suffix == ".seq":
            assert found.acceleration == pytest.approx(mask.acceleration)
            assert found.calibration == (mask.calibration or None)
            assert found.slope == pytest.approx(mask.slope)
            assert found.matrix == mask.matrix
            assert found.field_of_view == pytest.approx(mask.field_of_view)
            assert found.provenance == {"weights_sha256": "0" * 64}
    assert count >= 12
    # The file itself, or the pair, and nothing else.
    assert len(os.listdir(tmp_path)) == 1 + (suffix in (".cfl", ".hdr"))


@pytest.mark.parametrize("suffix", [".mrd", ".seq"])
def test_a_field_of_view_is_asked_for(tmp_path, suffix):
    """An export to a scanner does not invent the size of the image."""
    need(suffix)
    mask, path = random_lines((16, 33), 3, 4), tmp_path / f"mask{suffix}"
    with pytest.raises(ValueError, match=r"`field_of_view`.*\(--fov H W\)"):
        save_mask(mask, path)
    assert not path.exists()
    save_mask(mask, path, field_of_view=VIEW)
    assert load_mask(path).field_of_view == pytest.approx(VIEW)


@pytest.mark.parametrize("suffix", [".csv", ".mrd", ".seq"])
@pytest.mark.parametrize("order", ORDERS)
def test_every_order_reads_back_as_the_same_mask(tmp_path, suffix, order):
    need(suffix)
    path = tmp_path / f"mask{suffix}"
    mask = random_lines((16, 33), 3, 4, seed=1).replace(field_of_view=VIEW)
    save_mask(mask, path, order=order, seed=2)
    np.testing.assert_array_equal(load_mask(path).array, mask.array)


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".json", ".csv", ".cfl"])
def test_edges_of_what_a_mask_can_be(tmp_path, suffix):
    path = tmp_path / f"mask{suffix}"
    for array in (np.zeros((2, 3)), np.ones((2, 3)), [[1, 0]], [[1], [0]]):
        mask = SamplingMask(array)
        mask = mask.replace(
            matrix=mask.matrix or np.maximum(mask.shape, 2).tolist()
        )
        save_mask(mask, path)
        found = load_mask(path)
        assert found == (mask if suffix != ".npy" else SamplingMask(array))


@pytest.mark.parametrize("suffix", WHOLE)
def test_json_of_infinity(tmp_path, suffix):
    need(suffix)
    path = tmp_path / f"mask{suffix}"
    mask = SamplingMask(
        [[1, 0, 1]], acceleration=np.inf, matrix=(2, 3), field_of_view=VIEW
    )
    save_mask(mask, path)
    assert load_mask(path) == mask


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_dc_in_a_corner(tmp_path, suffix):
    need(suffix)
    path = tmp_path / f"mask{suffix}"
    good = random_lines((24, 40), 4, 8).replace(
        calibration=None, field_of_view=VIEW
    )
    corner = good.replace(array=np.fft.ifftshift(good.array))
    with pytest.raises(ValueError, match="DC in the centre.*--shift"):
        save_mask(corner, path)
    assert not os.listdir(tmp_path)
    save_mask(corner, path, shift=True)
    np.testing.assert_array_equal(load_mask(path).array, good.array)


@pytest.mark.parametrize("suffix", [".npy", ".cfl", ".h5"])
def test_dc_in_a_corner_of_a_file_of_others(tmp_path, suffix):
    import h5py

    from loupe_tf.formats import write_cfl

    path = tmp_path / f"mask{suffix}"
    good = random_lines((24, 40), 4, 8).replace(
        calibration=None, field_of_view=VIEW
    )
    corner = np.fft.ifftshift(good.array)
    if suffix == ".npy":
        np.save(path, corner)
    elif suffix == ".cfl":
        write_cfl(path, np.broadcast_to(corner, (24, 40)))
    else:
        with h5py.File(path, "w") as file:
            file["mask"] = corner[0]
    with pytest.raises(ValueError, match="densest around the corner"):
        load_mask(path)
    np.testing.assert_array_equal(load_mask(path, shift=False).array, corner)
    found = load_mask(path, shift=True)
    np.testing.assert_array_equal(found.array, good.array)
    assert found.lines == "columns"


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_points_asked_of_a_format_of_lines(tmp_path, suffix):
    with pytest.raises(ValueError, match="`mask`. Expected columns.*of points"):
        save_mask(gaussian((16, 16), 4, 4), tmp_path / f"mask{suffix}")
    assert not os.listdir(tmp_path)


def test_rows_asked_of_fastmri(tmp_path):
    mask = random_lines((16, 20), 4, 2, lines="rows")
    with pytest.raises(ValueError, match="Expected columns for.*mask of rows"):
        save_mask(mask, tmp_path / "mask.h5")


@pytest.mark.parametrize("suffix", [".cfl", ".mrd", ".seq"])
def test_length_of_the_lines(tmp_path, suffix):
    need(suffix)
    mask, path = (
        SamplingMask([[0, 1, 1, 0]], field_of_view=VIEW),
        tmp_path / f"mask{suffix}",
    )
    with pytest.raises(ValueError, match="`matrix`. Expected the size.*--matr"):
        save_mask(mask, path)
    assert not os.listdir(tmp_path)
    save_mask(mask, path, matrix=(6, 4))
    assert load_mask(path).matrix == (6, 4)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_files(tmp_path, suffix):
    need(suffix)
    path = tmp_path / f"mask{suffix}"
    save_mask(random_lines((12, 13), 3, 2).replace(field_of_view=VIEW), path)
    path = path.with_suffix(".cfl") if suffix == ".hdr" else path
    whole = path.read_bytes()
    for length in (0, 7, len(whole) // 3, 2 * len(whole) // 3):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="mask"):
            load_mask(path)
    path.write_bytes(b"\x00\xff nonsense \x80" * 20)
    with pytest.raises(ValueError, match="mask"):
        load_mask(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        load_mask(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_left_half_written(tmp_path, monkeypatch, suffix):
    need(suffix)
    path = tmp_path / f"mask{suffix}"
    mask = random_lines((12, 13), 3, 2).replace(field_of_view=VIEW)
    save_mask(mask, path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_mask(mask.replace(slope=1), path)
    after = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert after == before


def test_names_of_formats(tmp_path):
    mask = random_lines((12, 14), 3, 2)
    save_mask(mask, tmp_path / "mask", format="json")
    assert load_mask(tmp_path / "mask", format="json") == mask
    save_mask(mask, tmp_path / "MASK.CSV")
    assert load_mask(tmp_path / "MASK.CSV") == mask
    assert set(SUFFIXES.values()) == set(FORMATS)
    assert len(SUFFIXES) == sum(len(f.suffixes) for f in FORMATS.values())
    with pytest.raises(ValueError, match="`path`. Expected a path that ends"):
        save_mask(mask, tmp_path / "mask.mat")
    with pytest.raises(ValueError, match="`format`. Expected one of .'npz'"):
        load_mask(tmp_path / "mask", format="matlab")


@pytest.mark.parametrize(
    "suffix, options",
    [(".npz", {"order": "linear"}), (".csv", {"te": 3}), (".seq", {"echo": 1})],
)
def test_options_that_a_format_does_not_take(tmp_path, suffix, options):
    with pytest.raises(
        ValueError, match=f"`{list(options)[0]}`.*, which takes"
    ):
        mask = random_lines((12, 14), 3, 2)
        save_mask(mask, tmp_path / f"mask{suffix}", **options)
    with pytest.raises(ValueError, match="`lines`. Expected nothing for"):
        load_mask(tmp_path / "mask.npz", lines="rows")


def save_text(mask, path, one="1"):
    rows = [[("0", one)[x] for x in row] for row in mask.array.astype(int)]
    pathlib.Path(path).write_text("\n".join(map("".join, rows)))


def load_text(path):
    rows = [
        [x != "0" for x in row]
        for row in pathlib.Path(path).read_text().split()
    ]
    return {"array": np.array(rows), "acceleration": 2.0}, True


def test_a_new_format_is_added_in_one_place(tmp_path, monkeypatch, capsys):
    text = Format(save_text, load_text, (".txt",), "a text of 0 and 1")
    monkeypatch.setitem(FORMATS, "text", text)
    mask = gaussian((12, 14), 2)
    mask.save(tmp_path / "mask.npz")
    arguments = ["mask", "convert", str(tmp_path / "mask.npz")]
    for out in ([tmp_path / "mask.txt"], [tmp_path / "mask", "--format=text"]):
        assert not cli.main([*arguments, *map(str, out)])
        found = load_mask(out[0], format="text")
        np.testing.assert_array_equal(found.array, mask.array)
    assert load_mask(tmp_path / "mask.txt").shape == (12, 14)
    save_mask(mask, tmp_path / "mask.txt", one="x")
    assert "x" in (tmp_path / "mask.txt").read_text()
    with pytest.raises(
        ValueError, match="`order`. .* 'text', which takes `one`. "
    ):
        save_mask(mask, tmp_path / "mask.txt", order="linear")
    with pytest.raises(SystemExit):
        cli.main(["mask", "convert", "--help"])
    assert ".txt " in (shown := capsys.readouterr().out)
    assert "a text of 0 and 1" in shown


def test_what_0_1_wrote(tmp_path):
    import json

    path = tmp_path / "old.npz"
    metadata = {
        "version": 1,
        "dc": "N // 2",
        "acceleration": 2.0,
        "calibration": 1,
        "slope": None,
        "provenance": {"pattern": "random_lines"},
    }
    np.savez(path, mask=[[False, True]], metadata=json.dumps(metadata))
    found = load_mask(path)
    assert found.acquired == 1 and found.matrix is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_devices_pipes_and_folders(tmp_path, suffix):
    need(suffix)
    suffixes = (".cfl", ".hdr") if suffix in (".cfl", ".hdr") else (suffix,)
    makers = (lambda p: p.symlink_to("/dev/zero"), os.mkfifo, os.mkdir)
    for number, make in enumerate(makers):
        folder = tmp_path / str(number)
        folder.mkdir()
        for each in suffixes:
            make(folder / f"mask{each}")
        with pytest.raises((ValueError, OSError), match=str(folder)):
            load_mask(folder / f"mask{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_limit_of_memory(tmp_path, suffix):
    need(suffix)
    path = tmp_path / f"mask{suffix}"
    save_mask(random_lines((64, 200), 4, 4).replace(field_of_view=VIEW), path)
    try:
        set_memory_limit(6000)
        with pytest.raises(ValueError, match="mask.*at most 5.859 KiB of mem"):
            load_mask(path)
    finally:
        set_memory_limit(None)
    assert load_mask(path).acquired == 50


def test_a_size_that_a_header_asks_for(tmp_path):
    # Two lines of text that ask for 400 MB, and a table of lines for 8 GB.
    mask = random_lines((12, 14), 3, 2)
    path = tmp_path / "mask.csv"
    save_mask(mask, path)
    path.write_text(path.read_text().replace("[1, 14]", "[20000, 20000]"))
    with pytest.raises(ValueError, match="mask.csv.*asks for 11.92 GiB"):
        load_mask(path)
    huge = SamplingMask([[0, 1]], matrix=(10**9, 2))
    with pytest.raises(ValueError, match="mask.cfl.*asks for"):
        save_mask(huge, tmp_path / "mask.cfl")


def test_a_format_that_the_suffix_contradicts(tmp_path):
    mask = random_lines((8, 32), 4, 3)
    with pytest.raises(ValueError, match="'csv' for a path.*format='npz'"):
        save_mask(mask, tmp_path / "mask.csv", "npz")
    assert not (tmp_path / "mask.csv").exists()
    save_mask(mask, tmp_path / "mask.dat", "npz")
    assert load_mask(tmp_path / "mask.dat", "npz") == mask
