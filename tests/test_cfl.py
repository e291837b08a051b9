import struct

import numpy as np
import pytest

from loupe_tf import formats
from loupe_tf.formats import read_cfl, write_cfl


@pytest.mark.parametrize(
    "shape", [(1,), (5,), (4, 3), (5, 4, 1, 3), (1, 1, 7), (2,) * 16]
)
@pytest.mark.parametrize("name", ["scan", "scan.cfl", "scan.hdr", "a.b"])
def test_round_trip(tmp_path, rng, shape, name):
    array = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype("c8")
    write_cfl(tmp_path / name, array)
    found = read_cfl(str(tmp_path / name))
    assert found.dtype == np.complex64
    np.testing.assert_array_equal(found, array)
    assert len(list(tmp_path.iterdir())) == 2


def test_layout(tmp_path):
    # The first dimension is the fastest: (real, imaginary) of [0, 0], [1, 0].
    write_cfl(tmp_path / "x", np.array([[1, 2j], [3, 4]]))
    assert (tmp_path / "x.hdr").read_text() == "# Dimensions\n2 2\n"
    values = struct.unpack("<8f", (tmp_path / "x.cfl").read_bytes())
    assert values == (1, 0, 3, 0, 0, 2, 4, 0)


def test_dimensions_of_one_and_other_lines(tmp_path):
    write_cfl(tmp_path / "x", np.ones((3, 2)))
    header = "# Dimensions\n3 2 1 1 1 \n# Command\nphantom x\n"
    (tmp_path / "x.hdr").write_text(header)
    assert read_cfl(tmp_path / "x").shape == (3, 2)


@pytest.mark.parametrize(
    "array", [np.float32(1), np.ones((0, 2)), np.ones((1,) * 17), ["a"]]
)
def test_refuses_arrays(tmp_path, array):
    with pytest.raises(ValueError, match="`array`. Expected numbers in 1 to"):
        write_cfl(tmp_path / "x", array)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "# Dimensions",
        "# Dimensions\n2 x\n",
        "# Dimensions\n0 2\n",
        "# Dimensions\n" + 5000 * "9",
        "# Dimensions\n" + 17 * "1 ",
    ],
)
def test_refuses_headers(tmp_path, header):
    write_cfl(tmp_path / "x", np.ones((3, 2)))
    (tmp_path / "x.hdr").write_text(header)
    with pytest.raises(ValueError, match="x.hdr. Expected a line"):
        read_cfl(tmp_path / "x")


def test_refuses_pairs_that_do_not_fit(tmp_path):
    write_cfl(tmp_path / "x", np.ones((3, 2)))
    data = (tmp_path / "x.cfl").read_bytes()
    (tmp_path / "x.cfl").write_bytes(data[:-8])
    with pytest.raises(ValueError, match="Expected 48 bytes.*40 bytes"):
        read_cfl(tmp_path / "x")
    (tmp_path / "x.cfl").unlink()
    with pytest.raises(FileNotFoundError, match="no file .*x.cfl"):
        read_cfl(tmp_path / "x")


def test_sizes_that_no_file_has(tmp_path, monkeypatch):
    write_cfl(tmp_path / "x", np.ones((30, 20)))
    header = tmp_path / "x.hdr"
    header.write_text("# Dimensions\n" + 16 * "1000000 ")
    with pytest.raises(formats.BadFileError, match="x.cfl. Expected 8000"):
        read_cfl(tmp_path / "x")
    header.write_text("# Dimensions\n30 20")
    monkeypatch.setenv("LOUPE_TF_MEMORY_LIMIT", "4K")
    with pytest.raises(formats.BadFileError, match="x.cfl.*of memory"):
        read_cfl(tmp_path / "x")
    assert read_cfl(tmp_path / "x", memory_map=True).shape == (30, 20)
    header.write_text("# Dimensions\n30 20\n# Command\n" + 1000 * "x")
    with pytest.raises(formats.BadFileError, match="x.hdr.*of memory"):
        read_cfl(tmp_path / "x", memory_map=True)


def test_leaves_nothing_half_written(tmp_path, monkeypatch):
    write_cfl(tmp_path / "x", np.ones((3, 2)))

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_cfl(tmp_path / "x", np.zeros((5, 5)))
    assert read_cfl(tmp_path / "x").shape == (3, 2)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("suffix", [".hdr", ".cfl"])
def test_a_folder_in_the_way_leaves_no_half(tmp_path, suffix):
    (tmp_path / f"x{suffix}").mkdir()
    with pytest.raises(IsADirectoryError, match=f"x{suffix} is a folder"):
        write_cfl(tmp_path / "x", np.ones((3, 2)))
    assert [path.name for path in tmp_path.iterdir()] == [f"x{suffix}"]


def test_sections(tmp_path):
    write_cfl(tmp_path / "x", np.ones((3, 2)), {"Mask": "by chance"})
    text = (tmp_path / "x.hdr").read_text()
    assert text == "# Dimensions\n3 2\n# Mask\nby chance\n"
    assert read_cfl(tmp_path / "x").shape == (3, 2)
    for sections in ({"a": "two\nlines"}, {"a\n": "b"}, {"a": ""}):
        with pytest.raises(ValueError, match="`sections`. Expected one line"):
            write_cfl(tmp_path / "y", np.ones(2), sections)
    assert len(list(tmp_path.iterdir())) == 2
