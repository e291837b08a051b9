from xml.etree import ElementTree

import h5py
import numpy as np
import pytest

from loupe_tf.datasets import (
    write_fastmri_dataset,
    write_fastmri_scan,
    write_fastmri_volume,
)
from loupe_tf.formats import load_kspace
from loupe_tf.formats.fastmri_file import FastmriFile
from loupe_tf.numpy_fourier import ifft2c

SIZE = {"size": (48, 30), "recon_size": (24, 20)}


def write(folder, **kwargs):
    path = folder / "file.h5"
    write_fastmri_volume(path, **{"slices": 3, **SIZE, **kwargs})
    with h5py.File(path) as file:
        data = {key: file[key][()] for key in file}
        return {**data, **file.attrs}


def test_single_coil_schema(tmp_path):
    file = write(tmp_path, acquisition="CORPDFS_FBK", patient_id="7")
    assert set(file) == {
        *("kspace", "reconstruction_esc", "reconstruction_rss"),
        *("ismrmrd_header", "acquisition", "patient_id", "max", "norm"),
    }
    assert file["kspace"].shape == (3, 48, 30)
    assert file["kspace"].dtype == np.complex64
    assert file["acquisition"] == "CORPDFS_FBK" and file["patient_id"] == "7"
    esc = file["reconstruction_esc"]
    assert esc.shape == (3, 24, 20) and esc.dtype == np.float32
    assert file["max"] == esc.max()
    np.testing.assert_allclose(file["norm"], np.linalg.norm(esc), rtol=1e-6)

    image = abs(ifft2c(file["kspace"]))[:, 12:36, 5:25]
    np.testing.assert_allclose(esc, image, rtol=1e-4, atol=1e-9)
    # What has no noise is near it, and not the same.
    rss = file["reconstruction_rss"]
    difference = np.linalg.norm(rss - esc) / np.linalg.norm(esc)
    assert 1e-3 < difference < 0.2


def test_multi_coil_schema(tmp_path):
    file = write(tmp_path, coils=5)
    assert "reconstruction_esc" not in file
    assert file["kspace"].shape == (3, 5, 48, 30)
    images = ifft2c(file["kspace"])[..., 12:36, 5:25]
    rss = np.sqrt(np.sum(abs(images) ** 2, axis=1))
    recon = file["reconstruction_rss"]
    np.testing.assert_allclose(recon, rss, rtol=1e-4, atol=1e-9)
    assert file["max"] == recon.max()
    # Each coil sees something else, and smoothly so.
    bright = abs(images[1]).reshape(5, -1).argmax(axis=1)
    assert len(set(bright)) > 3
    clean = write(tmp_path, coils=5, noise=0.0, acquired=30)["kspace"][1]
    clean = ifft2c(clean)[:, 12:36, 5:25]
    maps = clean / np.sqrt(np.sum(abs(clean) ** 2, axis=0))
    body = abs(clean).sum(axis=0) > abs(clean).sum(axis=0).max() / 4
    steps = abs(np.diff(maps, axis=-1))[:, body[:, 1:] & body[:, :-1]]
    assert np.median(steps) < 0.2


@pytest.mark.parametrize("columns, acquired", [(30, 26), (31, 27), (30, 30)])
def test_columns_that_were_not_acquired(tmp_path, columns, acquired):
    file = write(tmp_path, size=(48, columns), acquired=acquired)
    power = np.sum(abs(file["kspace"]) ** 2, axis=(0, 1))
    columns_with_data = np.flatnonzero(power)
    assert len(columns_with_data) == acquired
    left = columns // 2 - acquired // 2
    assert columns_with_data[0] == left
    namespace = {"i": "http://www.ismrm.org/ISMRMRD"}
    root = ElementTree.fromstring(file["ismrmrd_header"])

    def number(path):
        return int(root.findtext(path, namespaces=namespace))

    assert number(".//i:encodedSpace/i:matrixSize/i:y") == columns
    assert number(".//i:reconSpace/i:matrixSize/i:x") == 24
    limits = ".//i:encodingLimits/i:kspace_encoding_step_1/i:"
    assert number(limits + "maximum") == acquired - 1
    assert number(limits + "center") == columns // 2 - left


def test_an_image_has_a_phase(tmp_path):
    kspace = write(tmp_path, noise=0.0, acquired=30)["kspace"][1]
    image = ifft2c(kspace)
    bright = abs(image) > abs(image).max() / 2
    assert np.ptp(np.angle(image[bright])) > 0.2


def test_test_set(tmp_path):
    mask = np.arange(30) % 3 == 0
    file = write(tmp_path, mask=mask)
    assert set(file) == {
        *("kspace", "mask", "ismrmrd_header", "acquisition", "patient_id"),
    }
    np.testing.assert_array_equal(file["mask"], mask)
    full = write(tmp_path)["kspace"]
    np.testing.assert_array_equal(file["kspace"], full * mask)


def test_seed(tmp_path):
    first, same, other = (
        write(tmp_path, seed=seed)["kspace"] for seed in (1, 1, (1, 2))
    )
    assert first.tobytes() == same.tobytes()
    first, other = (abs(ifft2c(x)).ravel() for x in (first, other))
    assert np.corrcoef(first, other)[0, 1] < 0.97


def test_dataset(tmp_path):
    folders = {
        "singlecoil_train": 2,
        "multicoil_train": 1,
        "multicoil_val": 1,
        "singlecoil_test_v2": 1,
        "multicoil_challenge": 1,
    }
    paths = write_fastmri_dataset(tmp_path, folders, slices=2, coils=3, **SIZE)
    assert {k: len(v) for k, v in paths.items()} == folders
    found = sorted(tmp_path.glob("*/*.h5"))
    assert found == sorted(path for each in paths.values() for path in each)
    recons, patients = {}, {}
    for path in found:
        with h5py.File(path) as file:
            assert ("mask" in file) == ("train" not in str(path)) * (
                "val" not in str(path)
            )
            axes = 3 if "singlecoil" in path.parent.name else 4
            assert file["kspace"].ndim == axes
            key = path.relative_to(tmp_path).as_posix()
            patients[key] = file.attrs["patient_id"]
            if "mask" not in file:
                recons[key] = file["reconstruction_rss"][()]
    # The same knee with one coil and with three; another one elsewhere.
    name = paths["singlecoil_train"][0].name
    assert name == paths["multicoil_train"][0].name
    single = recons[f"singlecoil_train/{name}"]
    several = recons[f"multicoil_train/{name}"]
    assert np.corrcoef(single.ravel(), several.ravel())[0, 1] > 0.98
    (other,) = (v for k, v in recons.items() if "val" in k)
    assert np.corrcoef(other.ravel(), several.ravel())[0, 1] < 0.97
    by_split = [
        {v for k, v in patients.items() if part in k}
        for part in ("train", "val", "test", "challenge")
    ]
    assert len(set.union(*by_split)) == sum(map(len, by_split))


def test_brain(tmp_path):
    paths = write_fastmri_dataset(
        tmp_path, {"multicoil_val": 2}, "brain", slices=1, coils=2, **SIZE
    )
    names = [path.name for path in paths["multicoil_val"]]
    assert names[0].startswith("file_brain_AXT2_")
    with h5py.File(paths["multicoil_val"][1]) as file:
        assert file.attrs["acquisition"] == "AXT1"


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"recon_size": (24, 31)}, r"`recon_size`.*\(48, 30\).*\(24, 31\)"),
        ({"acquired": 31}, "`acquired`.*1 to 30.*acquired=31"),
        ({"acquired": 0}, "`acquired`"),
        ({"mask": np.ones(29)}, r"`mask`.*\(30,\).*\(29,\)"),
    ],
)
def test_invalid_volume(tmp_path, kwargs, match):
    with pytest.raises(ValueError, match=match):
        write(tmp_path, **kwargs)
    assert not list(tmp_path.iterdir())


def test_invalid_dataset(tmp_path):
    with pytest.raises(ValueError, match="`anatomy`.*anatomy='heart'"):
        write_fastmri_dataset(tmp_path, {"singlecoil_val": 1}, "heart")
    with pytest.raises(ValueError, match="`volumes`.*train"):
        write_fastmri_dataset(tmp_path, {"train": 1})


def test_a_scan_of_ones_own(tmp_path, rng):
    """From an array, from a file of unknown size, and from one that has it."""
    kspace = rng.normal(size=(3, 2, 12, 10, 2)).view("complex128")[..., 0]
    kspace = kspace.astype("complex64")
    np.save(tmp_path / "a.npy", kspace)
    array, unknown, known, copy = (tmp_path / f"{i}.h5" for i in range(4))
    write_fastmri_scan(array, kspace)
    with load_kspace(tmp_path / "a.npy") as volume:
        write_fastmri_scan(unknown, volume, patient_id="p1")
        view = (240, 150, 2)
        write_fastmri_scan(
            known, volume, (6, 8), field_of_view=view, patient_id="p1"
        )
    with load_kspace(known) as volume:
        write_fastmri_scan(
            copy, volume, vendor="Acme", acquisition="T1", patient_id="p1"
        )
        with pytest.raises(ValueError, match="`patient_id`.*of the scan"):
            write_fastmri_scan(tmp_path / "b.h5", volume)
    expected = {
        array: ("simulated", (3, 0.4375, 0.4375)),
        unknown: ("raw_multicoil", None),
        known: ("raw_multicoil", (2, 20, 15)),
        copy: ("raw_multicoil", (2, 20, 15)),
    }
    for path, (source, spacing) in expected.items():
        with FastmriFile(path) as file:
            assert file.source == source and file.voxel_size == spacing
            assert file.header["encoded_size"] == (12, 10, 1)
            assert file.header["acquired_columns"] == 10
            found = np.stack([file.kspace(i) for i in range(3)])
            np.testing.assert_array_equal(found, kspace)
            recon = file.target()
            rss = np.sqrt(np.sum(abs(ifft2c(kspace)) ** 2, axis=1))
            if path == known:
                assert file.header["recon_size"] == (6, 8, 1)
                rss = rss[:, 3:9, 1:9]
            np.testing.assert_allclose(recon, rss, rtol=1e-5)
    with FastmriFile(unknown) as file:
        assert file.patient == "p1" and file.field_of_view is None
        assert file.scanner["vendor"] == ""
    with FastmriFile(copy) as file:
        assert file.scanner["vendor"] == "Acme" and file.acquisition == "T1"
    with pytest.raises(ValueError, match="`kspace`.*slices, coils, H, W"):
        write_fastmri_scan(tmp_path / "b.h5", kspace[0])
    with pytest.raises(ValueError, match="`kspace`.*complex"):
        write_fastmri_scan(tmp_path / "b.h5", kspace.real)
    for view in ((240, 150), (240, 150, 0)):
        with pytest.raises(ValueError, match="`field_of_view`"):
            write_fastmri_scan(tmp_path / "b.h5", kspace, field_of_view=view)
    assert not (tmp_path / "b.h5").exists()
