import math
import os
import pickle
import struct
import zipfile

import h5py
import numpy as np
import pytest

from loupe_tf import formats, reading


@pytest.fixture(autouse=True)
def the_default_limit(monkeypatch):
    monkeypatch.delenv(reading.VARIABLE, raising=False)
    yield
    formats.set_memory_limit(None)


def header(shape):
    """Bytes of a `.npy` file that ends where its numbers should begin."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def test_limit(monkeypatch):
    assert formats.memory_limit() == 4 * 2**30
    monkeypatch.setenv(reading.VARIABLE, "16G")
    assert formats.memory_limit() == 16 * 2**30
    formats.set_memory_limit("1.5 MiB")
    assert formats.memory_limit() == 1.5 * 2**20
    formats.set_memory_limit(math.inf)
    reading.check_memory("file", 1e30)
    formats.set_memory_limit(None)
    assert formats.memory_limit() == 16 * 2**30


@pytest.mark.parametrize("limit", ["much", "1.2.3", 0, -1, True, float("nan")])
def test_limits_that_are_none(limit):
    with pytest.raises(ValueError, match="argument `limit`. Expected a pos"):
        formats.set_memory_limit(limit)


def test_invalid_variable_is_named(monkeypatch):
    monkeypatch.setenv(reading.VARIABLE, "lots")
    with pytest.raises(ValueError, match=reading.VARIABLE):
        formats.memory_limit()


def test_naming(tmp_path):
    path = tmp_path / "file.bin"
    for error in (KeyError("x"), MemoryError(), zipfile.BadZipFile("y")):
        with pytest.raises(reading.BadFileError, match="file.bin") as caught:
            with reading.naming(path, "a zebra"):
                raise error
        assert "Expected a zebra" in str(caught.value)
        assert type(error).__name__ in str(caught.value)
    with pytest.raises(FileNotFoundError):
        with reading.naming(path, "a zebra"):
            open(path)
    with pytest.raises(ImportError):
        with reading.naming(path, "a zebra"):
            raise ImportError("pip install it")


def test_naming_with_another_class_changes_every_error(tmp_path):
    class Other(reading.BadFileError):
        kind = "volume"

    for error in (FileNotFoundError(2, "none", "x"), OSError("y")):
        with pytest.raises(Other, match="Invalid volume here"):
            with reading.naming("here", "a zebra", Other):
                raise error
    with pytest.raises(Other, match="^Invalid volume here. Because$"):
        with reading.naming("here", "a zebra", Other):
            raise reading.BadFileError("inside", "Because")


def test_errors_are_picklable():
    error = reading.BadFileError("a.npy", "Expected 1. Received: 2")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_npy(tmp_path):
    path = tmp_path / "a.npy"
    for array in (np.arange(6.0).reshape(2, 3), np.zeros((0, 2)), np.int8(3)):
        np.save(path, array)
        np.testing.assert_array_equal(reading.load_npy(path), array)
        mapped = reading.load_npy(path, memory_map=True)
        np.testing.assert_array_equal(mapped, array)


def test_npy_that_contradicts_itself(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6.0))
    whole = path.read_bytes()
    for content in (whole[:-8], whole + b"more", whole[:20], b"", b"PK"):
        path.write_bytes(content)
        for memory_map in (False, True):
            with pytest.raises(reading.BadFileError, match="a.npy"):
                reading.load_npy(path, memory_map)
    np.save(path, np.array([None]))
    with pytest.raises(reading.BadFileError, match="never unpickled"):
        reading.load_npy(path)


def test_npy_asks_for_no_memory_that_it_does_not_fill(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(header((10**6, 10**6)))
    with pytest.raises(reading.BadFileError, match="8000000000000 bytes"):
        reading.load_npy(path)
    np.save(path, np.zeros(1000))
    formats.set_memory_limit("4K")
    with pytest.raises(reading.BadFileError, match="at most 4 KiB of memory"):
        reading.load_npy(path)
    assert reading.load_npy(path, memory_map=True).size == 1000


def test_npz(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.ones((2, 2)))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("readme.txt", "hello")
    arrays = reading.load_npz(path)
    assert list(arrays) == ["a", "b"]
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])


def test_npz_bombs(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", header((2**17,)) + bytes(2**20))
    assert path.stat().st_size < 5000
    formats.set_memory_limit(2**20)
    with pytest.raises(reading.BadFileError, match="asks for 2 MiB"):
        reading.load_npz(path)
    formats.set_memory_limit(None)
    assert reading.load_npz(path)["a"].size == 2**17
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", header((10**6, 10**6)))
    with pytest.raises(reading.BadFileError, match="8000000000000 bytes"):
        reading.load_npz(path)


def test_npz_damaged(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(1000))
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(reading.BadFileError, match="BadZipFile"):
        reading.load_npz(path)


def test_devices_and_folders(tmp_path):
    for load in (reading.load_npy, reading.load_npz, reading.read_text):
        with pytest.raises(reading.BadFileError, match="a regular file"):
            load("/dev/zero")
        with pytest.raises(IsADirectoryError):
            load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(reading.BadFileError, match="a pipe"):
        reading.open_hdf5(tmp_path / "pipe")


def test_text(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("x" * 100)
    assert reading.read_text(path) == "x" * 100
    formats.set_memory_limit(1000)
    with pytest.raises(reading.BadFileError, match="memory"):
        reading.read_text(path)
    formats.set_memory_limit(None)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(reading.BadFileError, match="UTF-8"):
        reading.read_text(path)


def test_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["group/data"] = np.arange(6).reshape(3, 2)
        file["scalar"] = 7
    with reading.open_hdf5(path) as file:
        dataset = reading.hdf5_dataset(file, "group/data")
        assert reading.read_hdf5(dataset).shape == (3, 2)
        assert reading.read_hdf5(dataset, 1).tolist() == [2, 3]
        assert reading.read_hdf5(reading.hdf5_dataset(file, "scalar")) == 7
        for name in ("group", "none", "group/none", "group/data/more"):
            assert reading.hdf5_dataset(file, name) is None
    path.write_bytes(b"no")
    with pytest.raises(reading.BadFileError, match="an HDF5 file"):
        reading.open_hdf5(path)


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
    with reading.open_hdf5(path) as file:
        for name in ("link", "group/data", "soft", "virtual", "outside"):
            with pytest.raises(reading.BadFileError, match="in the file itse"):
                reading.hdf5_dataset(file, name)


def test_hdf5_behind_a_block_of_a_user(tmp_path):
    # As MATLAB writes it: 512 bytes of text come first.
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["raw"] = np.arange(4)
    assert not reading.is_hdf5(__file__)
    assert reading.is_hdf5(path)
    with reading.open_hdf5(path) as file:
        assert reading.hdf5_names(file) == ["raw"]
        dataset = reading.hdf5_dataset(file, "raw")
        assert reading.read_hdf5(dataset).tolist() == [0, 1, 2, 3]
    with pytest.raises(FileNotFoundError):
        reading.is_hdf5(tmp_path / "none.h5")


def test_hdf5_with_damaged_tables_of_names(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["group/data"] = np.arange(4)
    path.write_bytes(path.read_bytes().replace(b"SNOD", b"XXXX"))
    with reading.open_hdf5(path) as file:
        for look in (
            lambda: reading.hdf5_dataset(file, "group/data"),
            lambda: reading.hdf5_names(file),
        ):
            with pytest.raises(reading.BadFileError, match="a.h5"):
                look()


def test_hdf5_texts_that_are_one(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a"] = ["x" * 1000] * 10
        file["b"] = ["x" * 1000]
    formats.set_memory_limit("50K")
    with reading.open_hdf5(path) as file:
        reading.read_hdf5(reading.hdf5_dataset(file, "b"))
        with pytest.raises(reading.BadFileError, match="memory"):
            reading.read_hdf5(reading.hdf5_dataset(file, "a"))


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
    with reading.open_hdf5(path) as file:
        with pytest.raises(reading.BadFileError, match="chunk of 4294967295"):
            reading.hdf5_dataset(file, "a")


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
    with reading.open_hdf5(path) as file:
        for name in ("number", "record", "array"):
            with pytest.raises(reading.BadFileError, match="a type that NumPy"):
                reading.hdf5_dataset(file, name)
        with pytest.raises(reading.BadFileError, match="a type that NumPy"):
            reading.hdf5_attribute(file, "record")
        for name in (*kinds, "text"):
            dataset = reading.hdf5_dataset(file, name)
            assert reading.read_hdf5(dataset).shape == (2,)
        assert reading.hdf5_attribute(file, "text") == "a"
        assert reading.hdf5_attribute(file, "none") is None
        assert reading.hdf5_attribute(file, "empty") == h5py.Empty("f4")


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
    with reading.open_hdf5(path) as file:
        assert reading.read_hdf5(reading.hdf5_dataset(file, "a")).size == 2
    content = path.read_bytes()
    # A length stands before the place of its heap.
    place = struct.pack("<IQ", 777, content.index(b"GCOL"))
    where = content.index(place)
    huge = content[:where] + struct.pack("<I", 2**32 - 1) + content[where + 4 :]
    path.write_bytes(huge)
    with reading.open_hdf5(path) as file:
        with pytest.raises(reading.BadFileError, match="list of 4294967295"):
            reading.hdf5_dataset(file, "a")


def test_hdf5_with_lists_of_an_unknown_kind(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        lists = file.create_dataset("a", (2,), h5py.vlen_dtype("f4"))
        lists[0] = [1, 2]
    content = path.read_bytes()
    with reading.open_hdf5(path) as file:
        found = reading.read_hdf5(reading.hdf5_dataset(file, "a"), 0)
        assert found.tolist() == [1, 2]
    kind = b"\x19\x00\x00\x00\x10\x00\x00\x00"
    assert content.count(kind) == 1
    path.write_bytes(content.replace(kind, b"\x19\xff" + kind[2:]))
    with reading.open_hdf5(path) as file:
        with pytest.raises(reading.BadFileError, match="lists of an unknown"):
            reading.hdf5_dataset(file, "a")


def test_xml():
    assert reading.parse_xml(b"<a><b>1</b></a>").findtext("b") == "1"
    for text in ("<a>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        with pytest.raises((ValueError, SyntaxError)):
            reading.parse_xml(text)


def test_hdf5_asks_for_memory(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        shape = (1000, 10**6)
        file.create_dataset("a", shape, chunks=(1, 10**6), dtype="f4")
        file.create_dataset("b", shape, chunks=(100, 10**6), dtype="f4")
    formats.set_memory_limit("100M")
    with reading.open_hdf5(path) as file:
        first, second = (reading.hdf5_dataset(file, name) for name in "ab")
        assert reading.read_hdf5(first, 0).shape == (10**6,)
        for dataset, index in ((first, ()), (second, 0), (first, slice(40))):
            with pytest.raises(reading.BadFileError, match="memory"):
                reading.read_hdf5(dataset, index)


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
        with reading.open_hdf5(path) as file:
            reading.read_hdf5(reading.hdf5_dataset(file, "a"))


def test_hdf5_with_a_heap_in_the_middle(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["numbers"] = np.zeros(2**18)
        file["one"], file["two"] = "text", ["text", "more"]
        file["behind"] = np.zeros(2**18)
    content = bytearray(path.read_bytes())
    start = content.index(b"GCOL")
    assert 2**20 < start < len(content) - 2**20
    with reading.open_hdf5(path) as file:
        assert reading.read_hdf5(reading.hdf5_dataset(file, "one")) == b"text"
    content[start + 16 : start + 64] = bytes(48)
    path.write_bytes(content)
    with reading.open_hdf5(path) as file:
        for name in ("one", "two"):
            with pytest.raises(reading.BadFileError, match="heap of texts"):
                reading.read_hdf5(reading.hdf5_dataset(file, name))


@pytest.mark.parametrize(
    "text", ["[" * 10**6, '{"a": 1, "a": 2}', "[NaN]", "-Infinity", "9" * 5000]
)
def test_json_that_is_none(text):
    with pytest.raises((ValueError, RecursionError)):
        reading.parse_json(text)


def test_json():
    assert reading.parse_json(b'{"a": [1, 1.5, null]}') == {"a": [1, 1.5, None]}


def test_npz_that_holds_an_array_twice(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.zeros(3))
    with zipfile.ZipFile(path) as file:
        content = file.read("a.npy")
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning):
        file.writestr("a.npy", content)
    with pytest.raises(reading.BadFileError, match="twice"):
        reading.load_npz(path)


def test_npz_with_a_damaged_directory(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.zeros(3), b=np.ones(3))
    whole = path.read_bytes()
    start = whole.index(b"PK\1\2")
    name = whole.index(b"a.npy", start)
    # A name that is none of an array's; a comment that swallows what follows.
    for place, value in ((name + 3, ord("q")), (start + 32, 80)):
        content = bytearray(whole)
        content[place] = value
        path.write_bytes(content)
        with pytest.raises(reading.BadFileError, match="a.npz"):
            reading.load_npz(path)
    path.write_bytes(whole)
    assert list(reading.load_npz(path)) == ["a", "b"]
