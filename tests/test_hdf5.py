import struct

import h5py
import numpy as np
import pytest

from loupe_tf import formats, hdf5, reading


@pytest.fixture(autouse=True)
def the_default_limit(monkeypatch):
    monkeypatch.delenv(reading.VARIABLE, raising=False)
    yield
    formats.set_memory_limit(None)


def test_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["group/data"] = np.arange(6).reshape(3, 2)
        file["scalar"] = 7
    with hdf5.open_hdf5(path) as file:
        dataset = hdf5.hdf5_dataset(file, "group/data")
        assert hdf5.read_hdf5(dataset).shape == (3, 2)
        for one in (1, np.int64(1), np.uint8(1)):
            assert hdf5.read_hdf5(dataset, one).tolist() == [2, 3]
        assert hdf5.read_hdf5(dataset, ...).shape == (3, 2)
        assert hdf5.read_hdf5(hdf5.hdf5_dataset(file, "scalar")) == 7
        for name in ("group", "none", "group/none", "group/data/more"):
            assert hdf5.hdf5_dataset(file, name) is None
    path.write_bytes(b"no")
    with pytest.raises(reading.BadFileError, match="an HDF5 file"):
        hdf5.open_hdf5(path)


def test_hdf5_reads_no_other_file(tmp_path):
    path, other = tmp_path / "a.h5", tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["data"] = np.arange(4)
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:] = h5py.VirtualSource(other, "data", (4,))
    (tmp_path / "raw").write_bytes(bytes(32))
    with h5py.File(path, "w") as file:
        file["link"] = h5py.ExternalLink(other, "data")
        file["group"] = h5py.ExternalLink(other, "/")
        file["soft"] = h5py.SoftLink("/link")
        file.create_virtual_dataset("virtual", layout)
        raw = [(str(tmp_path / "raw"), 0, 32)]
        file.create_dataset("outside", (4,), "i8", external=raw)
    with hdf5.open_hdf5(path) as file:
        for name in ("link", "group/data", "soft", "virtual", "outside"):
            with pytest.raises(reading.BadFileError, match="in the file itse"):
                hdf5.hdf5_dataset(file, name)


def test_hdf5_behind_a_block_of_a_user(tmp_path):
    # As MATLAB writes it: 512 bytes of text come first.
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["raw"] = np.arange(4)
    assert not hdf5.is_hdf5(__file__)
    assert hdf5.is_hdf5(path)
    with hdf5.open_hdf5(path) as file:
        assert hdf5.hdf5_names(file) == ["raw"]
        dataset = hdf5.hdf5_dataset(file, "raw")
        assert hdf5.read_hdf5(dataset).tolist() == [0, 1, 2, 3]
    with pytest.raises(FileNotFoundError):
        hdf5.is_hdf5(tmp_path / "none.h5")


def test_hdf5_with_damaged_tables_of_names(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["group/data"] = np.arange(4)
    path.write_bytes(path.read_bytes().replace(b"SNOD", b"XXXX"))
    with hdf5.open_hdf5(path) as file:
        for look in (
            lambda: hdf5.hdf5_dataset(file, "group/data"),
            lambda: hdf5.hdf5_names(file),
        ):
            with pytest.raises(reading.BadFileError, match="a.h5"):
                look()


def test_hdf5_texts_that_are_one(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a"] = ["x" * 1000] * 10
        file["b"] = ["x" * 1000]
    formats.set_memory_limit("50K")
    with hdf5.open_hdf5(path) as file:
        hdf5.read_hdf5(hdf5.hdf5_dataset(file, "b"))
        with pytest.raises(reading.BadFileError, match="memory"):
            hdf5.read_hdf5(hdf5.hdf5_dataset(file, "a"))


def test_hdf5_chunks_that_the_file_has_no_room_for(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=np.arange(21.0), chunks=(21,))
    content = path.read_bytes()
    size = struct.pack("<I", 21 * 8)
    # In the dataset's tree of chunks, TREE of type 1.
    where = content.index(size, content.index(b"TREE\x01"))
    huge = content[:where] + struct.pack("<I", 2**32 - 1) + content[where + 4 :]
    path.write_bytes(huge)
    with hdf5.open_hdf5(path) as file:
        with pytest.raises(reading.BadFileError, match="chunk of 4294967295"):
            hdf5.hdf5_dataset(file, "a")


def test_hdf5_with_damaged_types(tmp_path):
    """h5py takes wider ones in their place, and HDF5 then ends with signal 11.

    Here the exponent has nine bits.
    """
    from h5py import h5d, h5s, h5t

    path = tmp_path / "a.h5"
    unusual = h5t.IEEE_F32LE.copy()
    unusual.set_fields(31, 22, 9, 0, 22)
    record = h5t.create(h5t.COMPOUND, 8)
    record.insert(b"r", 0, unusual)
    record.insert(b"i", 4, h5t.IEEE_F32LE)
    space = h5s.create_simple((3,))
    kinds = ("f2", ">f4", "i1", ">u8", "c8", "S3", "?")
    with h5py.File(path, "w") as file:
        for name, kind in (
            (b"number", unusual),
            (b"record", record),
            (b"array", h5t.array_create(unusual, (2,))),
        ):
            h5d.create(file.id, name, kind, space)
        for name in kinds:
            file[name] = np.zeros(2, name)
        file["text"] = ["a", "b"]
        file.attrs["text"] = "a"
        file.attrs["empty"] = h5py.Empty("f4")
        h5py.h5a.create(file.id, b"record", record, space)
    with hdf5.open_hdf5(path) as file:
        for name in ("number", "record", "array"):
            with pytest.raises(reading.BadFileError, match="a type that NumPy"):
                hdf5.hdf5_dataset(file, name)
        with pytest.raises(reading.BadFileError, match="a type that NumPy"):
            hdf5.hdf5_attribute(file, "record")
        for name in (*kinds, "text"):
            dataset = hdf5.hdf5_dataset(file, name)
            assert hdf5.read_hdf5(dataset).shape == (2,)
        assert hdf5.hdf5_attribute(file, "text") == "a"
        assert hdf5.hdf5_attribute(file, "none") is None
        assert hdf5.hdf5_attribute(file, "empty") == h5py.Empty("f4")


@pytest.mark.parametrize("chunks", [None, (2,)])
@pytest.mark.parametrize("kind", ["list", "text", "record"])
def test_hdf5_lists_that_the_file_has_no_room_for(tmp_path, kind, chunks):
    """HDF5 takes the memory first, 16 GiB for a list of numbers."""
    path = tmp_path / "a.h5"
    dtype = {
        "list": h5py.vlen_dtype("f4"),
        "text": h5py.string_dtype(),
        "record": np.dtype([("n", "u2"), ("a", h5py.vlen_dtype("f4"))]),
    }[kind]
    values = np.empty(2, dtype)
    for i in range(2):
        value = "x" * 777 if kind == "text" else np.ones(777, "f4")
        values[i] = (i, value) if kind == "record" else value
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=values, dtype=dtype, chunks=chunks)
    with hdf5.open_hdf5(path) as file:
        assert hdf5.read_hdf5(hdf5.hdf5_dataset(file, "a")).size == 2
    content = path.read_bytes()
    # A length stands before the place of its heap.
    place = struct.pack("<IQ", 777, content.index(b"GCOL"))
    where = content.index(place)
    huge = content[:where] + struct.pack("<I", 2**32 - 1) + content[where + 4 :]
    path.write_bytes(huge)
    with hdf5.open_hdf5(path) as file:
        with pytest.raises(reading.BadFileError, match="list of 4294967295"):
            hdf5.hdf5_dataset(file, "a")


def test_hdf5_with_lists_of_an_unknown_kind(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        lists = file.create_dataset("a", (2,), h5py.vlen_dtype("f4"))
        lists[0] = [1, 2]
    content = path.read_bytes()
    with hdf5.open_hdf5(path) as file:
        found = hdf5.read_hdf5(hdf5.hdf5_dataset(file, "a"), 0)
        assert found.tolist() == [1, 2]
    kind = b"\x19\x00\x00\x00\x10\x00\x00\x00"
    assert content.count(kind) == 1
    path.write_bytes(content.replace(kind, b"\x19\xff" + kind[2:]))
    with hdf5.open_hdf5(path) as file:
        with pytest.raises(reading.BadFileError, match="lists of an unknown"):
            hdf5.hdf5_dataset(file, "a")


def test_hdf5_asks_for_memory(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        shape = (1000, 10**6)
        file.create_dataset("a", shape, chunks=(1, 10**6), dtype="f4")
        file.create_dataset("b", shape, chunks=(100, 10**6), dtype="f4")
    formats.set_memory_limit("100M")
    with hdf5.open_hdf5(path) as file:
        first, second = (hdf5.hdf5_dataset(file, name) for name in "ab")
        assert hdf5.read_hdf5(first, 0).shape == (10**6,)
        for dataset, index in ((first, ()), (second, 0), (first, slice(40))):
            with pytest.raises(reading.BadFileError, match="memory"):
                hdf5.read_hdf5(dataset, index)


@pytest.mark.parametrize("place", ["scalar", "table", "attribute"])
def test_hdf5_with_a_heap_without_an_end(tmp_path, place):
    # HDF5 goes round for ever in an entry of no size.
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.zeros(2**18)  # 2 MiB before the texts.
        if place == "attribute":
            file.attrs["a"] = "text"
            file["a"] = 0
        else:
            file["a"] = "text" if place == "scalar" else ["text", "more"]
    content = bytearray(path.read_bytes())
    start = content.index(b"GCOL")
    content[start + 16 : start + 64] = bytes(48)
    path.write_bytes(content)
    with pytest.raises(reading.BadFileError, match="a.h5.*heap of texts"):
        with hdf5.open_hdf5(path) as file:
            hdf5.read_hdf5(hdf5.hdf5_dataset(file, "a"))


def test_hdf5_with_a_heap_in_the_middle(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["numbers"] = np.zeros(2**18)
        file["one"], file["two"] = "text", ["text", "more"]
        file["behind"] = np.zeros(2**18)
    content = bytearray(path.read_bytes())
    start = content.index(b"GCOL")
    assert 2**20 < start < len(content) - 2**20
    with hdf5.open_hdf5(path) as file:
        assert hdf5.read_hdf5(hdf5.hdf5_dataset(file, "one")) == b"text"
    content[start + 16 : start + 64] = bytes(48)
    path.write_bytes(content)
    with hdf5.open_hdf5(path) as file:
        for name in ("one", "two"):
            with pytest.raises(reading.BadFileError, match="heap of texts"):
                hdf5.read_hdf5(hdf5.hdf5_dataset(file, name))
