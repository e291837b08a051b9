import math
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from loupe_tf import formats, hdf5, reading


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
        hdf5.open_hdf5(tmp_path / "pipe")


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


def test_xml():
    assert reading.parse_xml(b"<a><b>1</b></a>").findtext("b") == "1"
    for text in ("<a>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        with pytest.raises((ValueError, SyntaxError)):
            reading.parse_xml(text)


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
