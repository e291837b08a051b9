import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import h5py
import nibabel
import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf import cli
from loupe_tf.cli.building.options import DATA_SETS
from loupe_tf.datasets import write_fastmri_dataset

CONFIGS = {
    "knee_singlecoil": ["--size", "8"],
    "knee_singlecoil_4s": ["--size", "8"],
    "knee_singlecoil_kspace": [],
    "knee_multicoil": [],
    "brain_multicoil": [],
}


def build(given):
    return cli.main(["build", *given])


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "knee", "knee")


def write(folder, anatomy):
    counts = dict.fromkeys(("singlecoil_train", "singlecoil_val"), 3)
    counts |= dict.fromkeys(("multicoil_train", "multicoil_val"), 2)
    size = {"size": (16, 12), "recon_size": (8, 8)}
    write_fastmri_dataset(folder, counts, anatomy, slices=2, coils=2, **size)
    return folder


def arguments(config, tmp_path, *others, source="knee", data="data"):
    return [
        f"fastmri_slices/{config}",
        *("--data", str(tmp_path / source)),
        *("--data-dir", str(tmp_path / data)),
        *CONFIGS.get(config, []),
        *others,
    ]


def version_folder(tmp_path, config, data="data"):
    (folder,) = (tmp_path / data / "fastmri_slices").glob(f"{config}*/1.1.0")
    return folder


def records(folder):
    """All records of all splits, in the order of the files."""
    builder = tfds.builder_from_directory(folder)
    out = {}
    for split in sorted(builder.info.splits):
        if builder.info.file_format.value == "array_record":
            found = builder.as_data_source(split)
        else:
            in_order = tfds.ReadConfig(interleave_cycle_length=1)
            found = builder.as_dataset(split=split, read_config=in_order)
            found = tfds.as_numpy(found)
        # The data source returns scalars as float64 and int64.
        features = builder.info.features
        out[split] = [
            {
                k: v
                if isinstance(v, bytes)
                else np.asarray(v, features[k].np_dtype).tobytes()
                for k, v in record.items()
            }
            for record in found
        ]
    return out


@pytest.mark.parametrize("config", CONFIGS)
def test_formats_and_beam_give_the_same_records(tmp_path, config):
    anatomy = config.split("_")[0]
    write(tmp_path / anatomy, anatomy)
    beams = [[]]
    with contextlib.suppress(ImportError):
        import apache_beam  # noqa: F401

        beams.append(["--beam-runner", "DirectRunner"])
    found = []
    for file_format in ("tfrecord", "array_record"):
        for beam in beams:
            data = f"{file_format}{len(beam)}"
            more = [*beam, "--format", file_format]
            given = arguments(
                config, tmp_path, *more, source=anatomy, data=data
            )
            assert build(given) == 0
            folder = version_folder(tmp_path, config, data)
            assert list(folder.glob(f"*{file_format}-00000-of-*"))
            found.append(records(folder))
    assert min(len(each) for each in found[0].values()) >= 2
    for other in found[1:]:
        assert other == found[0]


def test_prints_a_table(source, tmp_path, capsys):
    bad = sorted((source / "singlecoil_train").glob("*.h5"))[1]
    with h5py.File(bad, "r+") as file:
        file["reconstruction_esc"][0, 0, 0] = np.nan
    given = arguments("knee_singlecoil", tmp_path, "--on-bad-volume", "skip")
    assert build(given) == 0
    printed = capsys.readouterr().out
    assert re.search(r"train +2 +4 +0.0 MB +1\n", printed)
    assert re.search(r"validation +3 +6 +0.0 MB +0\n", printed)
    assert f"{bad}: Expected finite values" in printed
    # Again: nothing is built, the same is said.
    stamp = version_folder(tmp_path, "knee_singlecoil").stat().st_mtime_ns
    assert build(given) == 0
    again = capsys.readouterr().out
    assert again.startswith("Already there")
    assert again.split("\n\n", 1)[1] == printed.split("\n\n", 1)[1]
    folder = version_folder(tmp_path, "knee_singlecoil")
    assert folder.stat().st_mtime_ns == stamp


def error(given, capsys):
    assert build(given) == 2
    captured = capsys.readouterr()
    (line,) = [text for text in captured.err.splitlines() if "error: " in text]
    assert "Traceback" not in captured.err
    return captured.err[captured.err.index("error: ") :]


def test_bad_volume_stops_and_old_data_stays(source, tmp_path, capsys):
    given = arguments("knee_singlecoil_kspace", tmp_path)
    assert build(given) == 0
    before = records(version_folder(tmp_path, "knee_singlecoil_kspace"))
    bad = sorted((source / "singlecoil_val").glob("*.h5"))[1]
    bad.write_bytes(bad.read_bytes()[:-50])
    message = error([*given, "--overwrite"], capsys)
    assert f"Invalid volume {bad}." in message and "truncated" in message
    after = records(version_folder(tmp_path, "knee_singlecoil_kspace"))
    assert after == before
    more = ["--overwrite", "--on-bad-volume", "skip"]
    assert build([*given, *more]) == 0
    after = records(version_folder(tmp_path, "knee_singlecoil_kspace"))
    assert len(after["validation"]) == 4


def test_volumes_that_were_left_out_are_not_counted(tmp_path, capsys, rng):
    """The first would otherwise be the example of those that were built."""
    folder = tmp_path / "volumes"
    folder.mkdir()
    for i in range(4):
        volume = rng.uniform(size=(2, 16, 18)) * (i > 0)
        np.save(folder / f"p{i}.npy", volume)
    given = ["mri_volumes/mine", "--data", str(folder)]
    given += ["--data-dir", str(tmp_path / "built")]
    assert build([*given, "--on-bad-volume", "skip"]) == 0
    printed = capsys.readouterr().out
    assert "p0.npy: Expected a maximum above 0" in printed
    assert re.search(r"Volumes:\n3 of 16×18 .*such as p1.npy", printed)


def test_manifest(source, tmp_path, capsys):
    names = [p.stem for p in sorted((source / "singlecoil_val").glob("*.h5"))]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"splits": {"test": names[1:]}}))
    given = arguments("knee_singlecoil", tmp_path, "--manifest", str(path))
    assert build(given) == 0
    printed = capsys.readouterr().out
    assert re.search(r"test +2 +4 ", printed)
    folder = version_folder(tmp_path, "knee_singlecoil")
    assert (folder / "manifest.json").read_text() == path.read_text()


def test_bad_input(source, tmp_path, capsys, monkeypatch):
    def message(config, *others, **kwargs):
        given = arguments(config, tmp_path, *others, **kwargs)
        return error(given, capsys)

    manifest = tmp_path / "manifest.json"
    use = ["--manifest", str(manifest)]
    kind = "knee_singlecoil_kspace"
    instructions = "https://fastmri.med.nyu.edu"
    assert instructions in message(kind, source="none")
    (tmp_path / "empty").mkdir()
    assert instructions in message(kind, source="empty")
    (tmp_path / "other/knees").mkdir(parents=True)
    assert instructions in message(kind, source="other")
    manifest.write_text('{"splits": {"train": ["file1"]}}')
    assert "1 missing: file1" in message(kind, *use)
    name = next((source / "singlecoil_val").glob("*.h5")).stem
    splits = {"train": [name], "test": [name]}
    manifest.write_text(json.dumps({"splits": splits}))
    assert f"{name} in train and test" in message(kind, *use)
    assert "none.json" in message(kind, "--manifest", "none.json")
    assert "fastmri_slices/knee_multicoil" in message("knee_multi")
    given = ["fastmri", "--data", str(source)]
    assert "name of a data set" in error(given, capsys)
    assert "--beam-runner" in message(kind, "--beam-options", "x")
    with h5py.File(next((source / "multicoil_val").glob("*.h5")), "r+") as file:
        file.attrs["acquisition"] = "AXT2"
    assert "a brain" in message("knee_multicoil")
    usage = type("Usage", (), {"free": 5000})
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: usage)
        assert re.search("GB free.*Received: 5e-06 GB free", message(kind))
    assert not list((tmp_path / "data").glob("*/*/1.1.0"))
    assert build(arguments(kind, tmp_path)) == 0
    capsys.readouterr()
    other = message(kind, "--format", "array_record")
    assert "already in" in other and "another --data-dir" in other


def test_without_beam(source, tmp_path, capsys, monkeypatch):
    for module in ("apache_beam", "apache_beam.options.pipeline_options"):
        monkeypatch.setitem(sys.modules, module, None)
    given = arguments("knee_multicoil", tmp_path, "--beam-runner", "Direct")
    hint = 'pip install "loupe-tf[beam]"'
    assert hint in error(given, capsys)
    assert hint in error([*given, "--beam-options=-a"], capsys)


@pytest.mark.slow
def test_killed_and_built_again(tmp_path):
    """SIGKILL in the middle of a real build, from outside."""
    write_fastmri_dataset(
        tmp_path / "knee",
        {"multicoil_train": 24},
        slices=8,
        coils=4,
        size=(160, 92),
        recon_size=(80, 80),
    )
    given = arguments("knee_multicoil", tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "loupe_tf.cli", "build", *given]
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len(list(tmp_path.glob("data/*/*/incomplete.*/volume*"))) > 3:
            break
        assert process.poll() is None, "It ended before it was killed."
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    folder = tmp_path / "data/fastmri_slices/knee_multicoil"
    assert [p.name[:10] for p in folder.glob("[!.]*")] == ["incomplete"]
    assert build(given) == 0
    assert [p.name for p in folder.glob("[!.]*")] == ["1.1.0"]
    assert len(records(folder / "1.1.0")["train"]) == 24 * 8


def test_help(capsys):
    with pytest.raises(SystemExit) as end:
        build(["--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    for name, text in DATA_SETS.items():
        assert f"  {name}\n      {text}\n" in printed
    configs = tfds.builder_cls("fastmri_slices").builder_configs
    listed = {f"fastmri_slices/{c}": o.description for c, o in configs.items()}
    mine = {"mri_volumes/NAME": DATA_SETS["mri_volumes/NAME"]}
    assert {**mine, **listed} == DATA_SETS
    assert "bad_volumes.txt" in printed and "{data_sets}" not in printed
    assert "{'singlecoil_train': 8" in printed


@pytest.fixture
def scans(tmp_path):
    """Four volumes of three patients."""
    rng = np.random.default_rng(0)
    for name in ("p1/a", "p1/b", "p2/a", "p3/a"):
        path = tmp_path / "scans" / f"{name}_FLAIR.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.uniform(1, 9, size=(2, 10, 12)))
    return tmp_path / "scans"


def build_volumes(tmp_path, *options, name="mri_volumes/mine"):
    places = ["--data", tmp_path / "scans", "--data-dir", tmp_path / "data"]
    return build([name, *map(str, places), *options])


@pytest.mark.parametrize(
    "split, counts",
    [
        (["train=p1,p2", "test=p3"], {"train": 6, "test": 2}),
        (["1", "0", "0"], {"train": 8}),
        (["{folder}/split.csv"], {"train": 4, "validation": 2}),
    ],
)
def test_mri_volumes(scans, tmp_path, capsys, split, counts):
    (scans / "split.csv").write_text("patient,split\np1,train\np3,validation")
    split = [word.format(folder=scans) for word in split]
    options = ["--include", "*FLAIR*", "*T1*", "--patient", r"(p\d)/"]
    options += ["--split", *split, "--size", "8", "14"]
    assert build_volumes(tmp_path, *options) == 0
    out = capsys.readouterr().out
    assert "mri_volumes/mine/1.1.0, tfrecord" in out
    assert "is not known" not in out
    builder = tfds.builder("mri_volumes/mine", data_dir=tmp_path / "data")
    found = {s: i.num_examples for s, i in builder.info.splits.items()}
    assert found == counts
    assert builder.info.features["image"].shape == (8, 14, 1)


@pytest.mark.parametrize("view", [[], ["18"], ["18", "20"]])
def test_mri_volumes_of_mixed_voxel_sizes(tmp_path, capsys, view):
    for i, (size, pixel) in enumerate([(20, 1.0), (16, 1.25), (30, 0.7)]):
        path = tmp_path / f"scans/p{i}/a.nii"
        path.parent.mkdir(parents=True)
        image = np.arange(2.0 * size**2).reshape(size, size, 2)
        affine = np.diag([pixel, pixel, 3, 1])
        nibabel.save(nibabel.Nifti1Image(image, affine), path)
    options = ["--field-of-view", *view, "--split", "1", "0", "0"]
    assert build_volumes(tmp_path, *options) == 0
    builder = tfds.builder("mri_volumes/mine", data_dir=tmp_path / "data")
    shape = {0: (16, 16, 1), 1: (14, 14, 1), 2: (14, 16, 1)}[len(view)]
    assert builder.info.features["image"].shape == shape
    out = capsys.readouterr().out
    assert "The patient of 3 volumes is not known" in out
    assert "paths, give --patient." in out
    if not view:
        assert (
            "1 of 30×30 (0.700×0.700 mm) -> image 29×29 -> k-space 16×16: "
            "16×16 (1.269×1.269 mm), field of view 20.3×20.3 mm; such as "
            "p2/a.nii" in out
        )
    options[1 : 1 + len(view)] = ["40", "40"]
    assert build_volumes(tmp_path, *options, "--overwrite") == 2
    assert "--zero-fill image" in capsys.readouterr().err


@pytest.mark.parametrize("lines", [[], ["9", "11"]])
def test_mri_volumes_cropped(scans, tmp_path, lines):
    options = ["--crop-to-acquired", *lines, "--split", "1", "0", "0"]
    assert build_volumes(tmp_path, *options) == 0
    builder = tfds.builder("mri_volumes/mine", data_dir=tmp_path / "data")
    # Noise fills all of k-space.
    expected = (9, 11, 1) if lines else (10, 12, 1)
    assert builder.info.features["image"].shape == expected


@pytest.mark.parametrize(
    "options, match",
    [
        (["--split", "a", "b"], "Received: --split a b"),
        (["--split", "train=p9", "--patient", "(p.)"], "--split.*p9"),
        (["--split", "none.csv"], "none.csv"),
        (["--include", "*T2*"], "argument --data.*--include .*T2.*no --excl"),
        (["--data", "scanz"], "argument --data.*Received: --data scanz"),
        (
            ["--field-of-view", "0", "0"],
            "--field-of-view. Expected the option alone, or with two positive",
        ),
        (["--field-of-view", "nan"], "--field-of-view. Expected the option"),
        (["--crop-to-acquired", "0", "8"], "acquired. Expected the option al"),
        (
            ["--crop-to-acquired", "8", "8", "--field-of-view"],
            "--crop-to-acquired. Expected the option alone, as with --field",
        ),
        (["--split", "1", "2", "3"], "--split. Expected three shares"),
        (["--split", "tests=p1"], "--split. Expected three shares.*tests=p1"),
        (["--size", "0"], "--size. Expected one or two positive integers"),
        (["--manifest", "a.json"], "--manifest.*mri_volumes"),
    ],
)
def test_mri_volumes_errors(scans, tmp_path, capsys, options, match):
    assert build_volumes(tmp_path, *options) == 2
    assert re.search(f"error: .*{match}", capsys.readouterr().err)
    assert not list((tmp_path / "data").rglob("dataset_info.json"))


def test_mri_volumes_one_name_for_one_set_of_settings(scans, tmp_path, capsys):
    split = ["--split", "1", "0", "0"]
    assert build_volumes(tmp_path, *split) == 0
    assert build_volumes(tmp_path, *split) == 0
    assert "Already there" in capsys.readouterr().out
    other = [*split, "--exclude", "p3*"]
    assert build_volumes(tmp_path, *other) == 2
    error = capsys.readouterr().err
    assert "mine/1.1.0 was built with: no --exclude. " in error
    assert "loupe-tf build --overwrite" in error
    assert error.endswith("Received: --exclude p3*\n")
    people = "train=p1,p2", "test=p3"
    assert build_volumes(tmp_path, "--split", *people) == 2
    error = capsys.readouterr().err
    assert "was built with: --split 1.0 0.0 0.0. " in error
    assert error.endswith("Received: --split train=p1,p2 test=p3\n")
    (tmp_path / "others").mkdir()
    others = ["--data", str(tmp_path / "others")]
    assert build_volumes(tmp_path, *split, *others) == 2
    error = capsys.readouterr().err
    assert "was built with: another folder. " in error
    assert error.endswith(f"Received: --data {others[1]}\n")
    assert build_volumes(tmp_path, *other, "--overwrite") == 0
    builder = tfds.builder("mri_volumes/mine", data_dir=tmp_path / "data")
    assert builder.info.splits["train"].num_examples == 6


@pytest.mark.usefixtures("eager", "undrawn")
def test_complex_volumes_are_trained_on_with_their_phase(tmp_path, capsys, rng):
    folder = tmp_path / "scans"
    folder.mkdir()
    for i in range(3):
        volume = rng.normal(size=(3, 16, 18, 2)).view("complex128")[..., 0]
        np.save(folder / f"p{i}.npy", volume)
    split = ["--split", "train=p0", "validation=p1", "test=p2"]
    options = ["--patient", r"(p\d)", *split, "--size", "16", "16"]
    assert build_volumes(tmp_path, *options, "--complex") == 0
    given = ["train", "--data", "mri_volumes/mine", "--epochs", "1", "1"]
    given += ["--data-dir", str(tmp_path / "data"), "--depth", "1"]
    given += ["--filters", "2", "--out", str(tmp_path / "run")]
    assert cli.main(given) == 0
    report = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "built with complex_images=True" in report
    assert "Hermitian k-space" not in report
    # The images have a phase already.
    assert cli.main([*given, "--phase"]) == 2
    assert "--phase. Expected none, since" in capsys.readouterr().err
    assert build_volumes(tmp_path, *options) == 2
    assert "was built with: --complex" in capsys.readouterr().err
    with pytest.warns(UserWarning, match="phase is dropped"):
        assert build_volumes(tmp_path, *options, name="mri_volumes/b") == 0


def test_mri_volumes_needs_a_source(capsys):
    assert build(["mri_volumes/mine"]) == 2
    assert "--data" in capsys.readouterr().err
