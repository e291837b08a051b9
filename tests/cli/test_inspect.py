import json
import os

import nibabel
import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf import cli
from loupe_tf.datasets import MriVolumesConfig
from loupe_tf.datasets.resize import center_crop_or_pad
from loupe_tf.numpy_fourier import fft2c, ifft2c


def run(*words):
    return cli.main(["inspect", "--data", *map(str, words)])


def zero_filled(rng, acquired, size, count=4):
    noise = rng.normal(size=(count, *acquired)) + 3
    return np.abs(ifft2c(center_crop_or_pad(fft2c(noise), size)))


@pytest.fixture
def scans(tmp_path, rng):
    """Two volumes that were zero-filled along H, and one of another size."""
    folder = tmp_path / "scans"
    for patient in ("p1", "p2"):
        (folder / patient).mkdir(parents=True)
        images = zero_filled(rng, (30, 48), (48, 48)).astype("float32")
        image = nibabel.Nifti1Image(images.transpose(1, 2, 0), np.eye(4))
        nibabel.save(image, folder / patient / "a_FLAIR.nii.gz")
    np.save(folder / "p1/b.npy", rng.uniform(size=(2, 40, 44)))
    return folder


def test_folder(scans, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(scans, "--out", str(out)) == 0
    printed = capsys.readouterr().out
    first, second = printed.split("\n\n\n")
    assert "8 images of 48 × 48; volumes: 2; source: magnitude_image" in first
    assert "30 of 48 lines acquired, 0.62 of Nyquist; seen in 2 of 2" in first
    assert "Hermitian k-space           found " in first
    assert "2 images of 40 × 44; volumes: 1" in second
    found = json.loads((out / "inspection.json").read_text())
    extents = [i["extent"] for i in found["inspections"]]
    assert extents == [[30, 48], [40, 44]]
    names = {path.name for path in out.iterdir()}
    pictures = {"spectrum_48x48.png", "spectrum_40x44.png"}
    assert names == pictures | {"inspection.json"}
    for picture in pictures:
        assert (out / picture).read_bytes().startswith(b"\x89PNG")


def test_one_file_and_patterns(scans, capsys):
    assert run(scans / "p1/b.npy") == 0
    assert "2 images of 40 × 44" in capsys.readouterr().out
    assert run(scans, "--include", "*FLAIR*") == 0
    assert "40 × 44" not in capsys.readouterr().out
    options = ["--slice-axis", "0", "--exclude", "*.npy", "p2/*"]
    assert run(scans, *options) == 0
    assert "48 images of 48 × 4;" in capsys.readouterr().out


def test_data_set(scans, tmp_path, capsys):
    config = MriVolumesConfig(
        scans,
        include="*FLAIR*",
        patient=r"(p\d)/",
        split={"train": ["p1"], "test": ["p2"]},
        name="flair",
    )
    folder = tmp_path / "data"
    builder = tfds.builder("mri_volumes", config=config, data_dir=folder)
    builder.download_and_prepare()
    options = ["mri_volumes/flair", "--data-dir", str(folder)]
    assert run(*options) == 0
    printed = capsys.readouterr().out
    assert "volumes: 1 train, 1 test; source: magnitude_image" in printed
    assert "30 of 48 lines acquired" in printed
    assert "A patient in two splits     not found" in printed


def test_bad_volumes_are_named_and_left_out(scans, tmp_path, capsys):
    (scans / "p2/c.npy").write_bytes(b"no volume")
    out = tmp_path / "out"
    assert run(scans, "--out", str(out)) == 0
    assert "Left out: p2/c.npy: Expected" in capsys.readouterr().out
    found = json.loads((out / "inspection.json").read_text())
    assert [entry["volume"] for entry in found["left_out"]] == ["p2/c.npy"]
    for arguments in (
        [str(scans), "--include", "*/c*"],
        [f"{scans}/p2/c.npy"],
        [str(scans), "--on-bad-volume", "stop"],
    ):
        assert run(*arguments) == 2
        assert "error: Invalid volume" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, match",
    [
        (["no_such_data_set"], "no_such_data_set"),
        (
            ["scanz/"],
            "argument --data. Expected a file, a folder, or the name of a TFDS "
            "data set",
        ),
        (["scanz/"], "Received: --data scanz/, no --data-dir: there is no"),
        (["{scans}", "--include", "*T2*"], "Expected volumes"),
        (["{scans}", "--data-dir", "data"], "--data-dir"),
        (["mri_volumes/flair", "--include", "*"], "--include"),
        (["mri_volumes/flair", "--slice-axis", "0"], "--slice-axis"),
    ],
)
def test_errors(scans, capsys, arguments, match):
    arguments = [word.format(scans=scans) for word in arguments]
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and match in error


def test_open_ms(tmp_path, capsys):
    folder = os.environ.get("LOUPE_TF_OPEN_MS")
    if not folder:
        pytest.skip("LOUPE_TF_OPEN_MS does not name the folder of open_ms")
    out = tmp_path / "out"
    options = ["--include", "*FLAIR*", "--out", str(out)]
    assert run(folder, *options) == 0
    found = json.loads((out / "inspection.json").read_text())["inspections"]
    findings = {f["name"]: f for f in found[0]["findings"]}
    assert findings["hermitian"]["found"]
    border = findings["zero_filled_h"]
    assert border["found"]
    share = border["numbers"]["share_of_nyquist"]
    assert share == pytest.approx(0.68, abs=0.02)
