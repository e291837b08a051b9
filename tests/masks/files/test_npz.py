import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from loupe_tf.masks import SamplingMask


def checkerboard():
    """A 4 x 6 mask with R = 2 and a 2 x 2 calibration region."""
    array = np.indices((4, 6)).sum(axis=0) % 2 == 0
    array[1:3, 2:4] = True
    return array


def good_contents():
    metadata = {
        "version": 1,
        "acceleration": 2.0,
        "calibration": [2, 2],
        "slope": None,
        "provenance": {},
    }
    return checkerboard(), metadata


def write(path, array, metadata):
    np.savez(path, mask=array, metadata=json.dumps(metadata))


def refuses(path, match):
    with pytest.raises(ValueError, match=match) as info:
        SamplingMask.load(path)
    assert str(path) in str(info.value)


def test_load_reads_the_documented_format(tmp_path):
    path = tmp_path / "mask.npz"
    write(path, *good_contents())
    assert SamplingMask.load(path) == SamplingMask(checkerboard(), 2, (2, 2))


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_load_never_unpickles(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "works")))
    assert (tmp_path / "works").exists()
    path = tmp_path / "mask.npz"
    array, metadata = good_contents()
    trap = np.array([[Trap(tmp_path / "sprung")]], dtype=object)
    np.savez(path, mask=trap, metadata=json.dumps(metadata))
    refuses(path, "never unpickled")
    np.savez(path, mask=array, metadata=trap)
    refuses(path, "never unpickled")
    np.save(tmp_path / "trap.npy", trap)
    refuses(tmp_path / "trap.npy", "cannot be read")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("key", ["mask", "metadata"])
def test_load_refuses_missing_array(tmp_path, key):
    array, metadata = good_contents()
    contents = {"mask": array, "metadata": json.dumps(metadata)}
    del contents[key]
    path = tmp_path / "mask.npz"
    np.savez(path, **contents)
    refuses(path, f"KeyError.*{key}")


@pytest.mark.parametrize("key", list(good_contents()[1]))
def test_load_refuses_missing_metadata(tmp_path, key):
    array, metadata = good_contents()
    del metadata[key]
    path = tmp_path / "mask.npz"
    write(path, array, metadata)
    refuses(path, f"KeyError.*{key}")


@pytest.mark.parametrize(
    "change, match",
    [
        ({"version": 2}, "Expected version 1 .* Received: version=2"),
        ({"acceleration": "4"}, "`acceleration`"),
        ({"calibration": [4, 4]}, "whole calibration region"),
        ({"calibration": "2"}, "`calibration`"),
        ({"slope": "2"}, "`slope`"),
        ({"provenance": []}, "`provenance`"),
    ],
)
def test_load_refuses_inconsistent_metadata(tmp_path, change, match):
    array, metadata = good_contents()
    path = tmp_path / "mask.npz"
    write(path, array, metadata | change)
    refuses(path, match)


def test_load_refuses_wrong_array(tmp_path):
    path = tmp_path / "mask.npz"
    write(path, checkerboard() * 0.5, good_contents()[1])
    refuses(path, "`array`")
    write(path, checkerboard().ravel(), good_contents()[1])
    refuses(path, "`array`")


@pytest.mark.parametrize("metadata", [b"{", b"[1]", b"3"])
def test_load_refuses_wrong_json(tmp_path, metadata):
    path = tmp_path / "mask.npz"
    np.savez(path, mask=checkerboard(), metadata=metadata.decode())
    refuses(path, "cannot be read")


def test_load_refuses_damaged_files(tmp_path):
    path = tmp_path / "mask.npz"
    SamplingMask(checkerboard(), 2, (2, 2)).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refuses(path, "cannot be read")
    broken = bytearray(whole)
    start = whole.index(b"mask.npy") + 60  # Within the compressed array.
    broken[start : start + 8] = b"x" * 8
    path.write_bytes(broken)
    refuses(path, "cannot be read")


def test_load_refuses_other_files(tmp_path):
    path = tmp_path / "file"
    path.write_text("R,calibration\n4,20\n")
    refuses(path, "cannot be read")
    path = tmp_path / "array.npy"
    np.save(path, checkerboard())
    refuses(path, "cannot be read")
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mask", "not an array")
        archive.writestr("metadata", "{}")
    refuses(path, "cannot be read")
