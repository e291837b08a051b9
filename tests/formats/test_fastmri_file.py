import pickle

import h5py
import numpy as np
import pytest

from loupe_tf.datasets import BadVolumeError, write_fastmri_volume
from loupe_tf.formats.fastmri_file import FastmriFile


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file1000001.h5"
    size = {"size": (16, 12), "recon_size": (8, 8), "acquired": 10}
    write_fastmri_volume(path, 2, patient_id="p", **size)
    return path


@pytest.fixture
def edit(path):
    return h5py.File(path, "r+")


def test_reads(path):
    with h5py.File(path) as stored, FastmriFile(path) as file:
        assert file.name == "file1000001"
        assert (file.acquisition, file.patient) == ("CORPD_FBK", "p")
        assert file.kspace_shape == (2, 16, 12)
        assert file.target_shape == (2, 8, 8)
        assert file.target_name == "reconstruction_esc"
        target = stored["reconstruction_esc"][()]
        np.testing.assert_array_equal(file.target(), target)
        np.testing.assert_array_equal(file.kspace(1), stored["kspace"][1])
        assert file.source == "simulated"
        assert file.header == {
            "encoded_size": (16, 12, 1),
            "recon_size": (8, 8, 1),
            "acquired_columns": 10,
            "padding_left": 1,
            "padding_right": 11,
        }


def test_multi_coil(path):
    write_fastmri_volume(path, 1, (16, 12), (8, 8), coils=3)
    with FastmriFile(path) as file:
        assert file.kspace_shape == (1, 3, 16, 12)
        assert file.target_name == "reconstruction_rss"
        assert file.kspace(0).shape == (3, 16, 12)


@pytest.mark.parametrize(
    "value, text",
    [
        ("a", "a"),
        (b"a", "a"),
        (np.bytes_(b"a"), "a"),
        (np.array([b"a"]), "a"),
        (7, "7"),
        (None, ""),
        (h5py.Empty("S1"), ""),
        (np.bytes_(b"M\xfcller"), "M\ufffdller"),
    ],
)
def test_attributes(path, edit, value, text):
    del edit.attrs["patient_id"]
    if value is not None:
        edit.attrs["patient_id"] = value
    edit.close()
    with FastmriFile(path) as file:
        assert file.patient == text


def test_other_types_are_converted(path, edit):
    kspace = edit["kspace"][()].astype("complex128")
    target = edit["reconstruction_esc"][()].astype("float64")
    del edit["kspace"], edit["reconstruction_esc"]
    edit["kspace"], edit["reconstruction_esc"] = kspace, target
    edit.close()
    with FastmriFile(path) as file:
        assert file.kspace(0).dtype == np.complex64
        assert file.target().dtype == np.float32


def replace(file, name, value):
    del file[name]
    if value is not None:
        file[name] = value


XML = (
    '<!DOCTYPE a [<!ENTITY b "c">]><ismrmrdHeader '
    'xmlns="http://www.ismrm.org/ISMRMRD">&b;</ismrmrdHeader>'
)
# The least value is not finite, the greatest is.
PARTLY = np.repeat(np.repeat([-np.inf, 1.0], [1, 7])[None, None], 16, 1)
PARTLY = PARTLY.reshape(2, 8, 8)


@pytest.mark.parametrize(
    "name, value, match",
    [
        ("kspace", None, "no data set kspace"),
        ("kspace", np.ones((2, 16), "c8"), "kspace with 3 or 4 axes"),
        ("kspace", np.ones((0, 16, 12), "c8"), r"\(0, 16, 12\)"),
        ("kspace", np.ones((2, 16, 12), "f4"), "complex .*float32"),
        ("kspace", np.full((2, 16, 12), np.nan, "c8"), "slice 1.*192|384"),
        ("kspace", h5py.ExternalLink("other.h5", "x"), "kspace in the file it"),
        ("kspace", h5py.SoftLink("/reconstruction_rss"), "a link to /recon"),
        ("ismrmrd_header", h5py.ExternalLink("other.h5", "x"), "a link to x"),
        ("ismrmrd_header", [b"<a/>", b"<b/>"], "ismrmrd_header|HDF5 file"),
        ("reconstruction_esc", np.ones((2, 8)), "with 3 axes"),
        ("reconstruction_esc", np.ones((2, 8, 8), "i4"), "real .*int32"),
        ("reconstruction_esc", -PARTLY, "finite.*16"),
        ("reconstruction_esc", PARTLY, "finite.*16"),
        ("ismrmrd_header", None, "no data set ismrmrd_header"),
        ("ismrmrd_header", "<a", "Expected an HDF5 file of fastMRI"),
        ("ismrmrd_header", "<a/>", "integer encoding/encodedSpace/.*None"),
        ("ismrmrd_header", XML, "document type"),
    ],
)
def test_bad_content(path, edit, name, value, match):
    replace(edit, name, value)
    edit.close()
    with FastmriFile(path) as file:
        with pytest.raises(BadVolumeError, match=match) as error:
            assert file.kspace_shape and file.target_shape
            assert file.kspace(1).any() and file.target().any()
            assert file.header
    assert error.value.volume == str(path)
    assert str(path) in str(pickle.loads(pickle.dumps(error.value)))


@pytest.mark.parametrize("word", ["nine", "-9", "1e8", "9" * 5000, "100000"])
def test_header_with_a_word_for_a_number(path, edit, word):
    header = edit["ismrmrd_header"][()].decode()
    replace(edit, "ismrmrd_header", header.replace(">9<", f">{word}<"))
    edit.close()
    with FastmriFile(path) as file:
        with pytest.raises(BadVolumeError, match=f"step_1/maximum.*{word[:4]}"):
            assert file.header


def test_thickness_is_that_of_a_slice(path, edit):
    """Whatever the matrix says."""
    header = edit["ismrmrd_header"][()].decode()
    replace(edit, "ismrmrd_header", header.replace("<z>1</z>", "<z>2</z>"))
    edit.close()
    with FastmriFile(path) as file:
        assert file.voxel_size == (3, 0.4375, 0.4375)


def test_data_in_another_file(path, edit, tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(bytes(2 * 16 * 12 * 8))
    del edit["kspace"]
    external = [(str(other), 0, h5py.h5f.UNLIMITED)]
    edit.create_dataset("kspace", (2, 16, 12), "c8", external=external)
    edit.close()
    with FastmriFile(path) as file:
        with pytest.raises(BadVolumeError, match="lies in another file"):
            file.kspace(0)


def test_attribute_that_is_not_utf_8(path, edit):
    # h5py makes halves of characters of it, which nothing can write.
    text = h5py.string_dtype("utf-8")
    edit.attrs.create("patient_id", b"M\xfcller", dtype=text)
    edit.close()
    with FastmriFile(path) as file:
        assert file.patient == "M\ufffdller"


def test_damaged_tables_of_names(path):
    # What says what is in a group; h5py raises RuntimeError.
    path.write_bytes(path.read_bytes().replace(b"SNOD", b"XXXX"))
    with FastmriFile(path) as file:
        for name in ("target_name", "kspace_shape", "header", "source"):
            with pytest.raises(BadVolumeError, match="file1000001.h5"):
                getattr(file, name)


def test_header_of_which_a_part_is_unreadable(path, edit):
    text = np.bytes_(edit["ismrmrd_header"][()])
    del edit["ismrmrd_header"]
    edit.create_dataset(
        "ismrmrd_header", data=np.array([text]), chunks=(1,), fletcher32=True
    )
    offset = edit["ismrmrd_header"].id.get_chunk_info(0).byte_offset
    edit.close()
    content = bytearray(path.read_bytes())
    content[offset] ^= 255
    path.write_bytes(content)
    with FastmriFile(path) as file:
        with pytest.raises(BadVolumeError, match="file1000001.h5"):
            assert file.header


def test_memory(path, monkeypatch):
    with FastmriFile(path) as file:
        assert file.target().size == 2 * 64  # 512 bytes.
        monkeypatch.setenv("LOUPE_TF_MEMORY_LIMIT", "500")
        with pytest.raises(BadVolumeError, match="500 bytes of memory"):
            file.target()
        monkeypatch.setenv("LOUPE_TF_MEMORY_LIMIT", "100K")
        with pytest.raises(BadVolumeError, match="100 KiB of memory"):
            assert file.header  # 1 kB, but of XML.


@pytest.mark.parametrize("size", [0, 100, 2000, -1])
def test_truncated(path, size):
    content = path.read_bytes()
    path.write_bytes(content[:size])
    with pytest.raises(BadVolumeError, match="file1000001.h5. Expected"):
        with FastmriFile(path) as file:
            file.kspace(1)
            file.target()


def test_missing_file(tmp_path):
    with pytest.raises(BadVolumeError, match="none.h5"):
        FastmriFile(tmp_path / "none.h5")
