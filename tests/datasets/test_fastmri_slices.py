import json
import shutil
import tempfile

import h5py
import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets import (
    BadVolumeError,
    FastmriSlicesConfig,
    write_fastmri_dataset,
    write_fastmri_volume,
)
from loupe_tf.datasets.fastmri_slices import (
    fastmri_slices_dataset_builder,
    manifest,
)

SIZES = {"size": (16, 12), "recon_size": (8, 8), "acquired": 10}
KINDS = [
    "knee_singlecoil",
    "knee_singlecoil_4s",
    "knee_singlecoil_kspace",
    "knee_multicoil",
    "brain_multicoil",
]


def config(kind, **kwargs):
    if kind in KINDS[:2]:
        kwargs = {"size": 8, **kwargs}
    return FastmriSlicesConfig(kind, **kwargs)


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Knees and brains, each in a manual directory of its own."""
    folder = tmp_path_factory.mktemp("manual")
    kinds = ("singlecoil_train", "singlecoil_val", "multicoil_train")
    counts = dict(zip((*kinds, "multicoil_val", "multicoil_test"), range(3, 8)))
    counts = {k: n if k == "singlecoil_val" else 3 for k, n in counts.items()}
    for anatomy in ("knee", "brain"):
        paths = write_fastmri_dataset(
            folder / anatomy, counts, anatomy, slices=2, coils=2, **SIZES
        )
    return folder, paths


@pytest.fixture
def knee(written, tmp_path):
    """A manual directory that a test may spoil."""
    folder = tmp_path / "knee"
    shutil.copytree(written[0] / "knee", folder)
    return folder


def build(folder, tmp_path, config, **kwargs):
    kwargs = {"data_dir": tmp_path / "data", **kwargs}
    builder = fastmri_slices_dataset_builder.Builder(config=config, **kwargs)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=folder)
    )
    return builder


def records(builder, split):
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    dataset = builder.as_dataset(split=split, read_config=in_order)
    return list(tfds.as_numpy(dataset))


def volumes(builder, split):
    names = [r["volume"].decode() for r in records(builder, split)]
    assert names[::2] == names[1::2]
    return names[::2]


def stems(folder, name):
    return [path.stem for path in sorted((folder / name).glob("*.h5"))]


class KneeTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = fastmri_slices_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = [
        config("knee_singlecoil"),
        "knee_singlecoil_kspace",
        "knee_multicoil",
    ]
    SPLITS = {"train": 6, "validation": 6}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = folder.name
        counts = {
            f"{coils}_{part}": 3
            for coils in ("singlecoil", "multicoil")
            for part in ("train", "val")
        }
        write_fastmri_dataset(folder.name, counts, slices=2, coils=2, **SIZES)
        super().setUpClass()


def test_the_largest_number_of_coils(knee, tmp_path):
    path = sorted((knee / "multicoil_train").glob("*.h5"))[1]
    write_fastmri_volume(path, slices=2, coils=3, **SIZES)
    builder = build(knee, tmp_path, "knee_multicoil")
    again = tfds.builder_from_directory(builder.data_path)
    for found in (builder, again):
        assert found.info.metadata == {"coils": 3}


def test_magnitude_records(written, tmp_path):
    folder = written[0] / "knee"
    builder = build(folder, tmp_path, config("knee_singlecoil"))
    paths = sorted((folder / "singlecoil_train").glob("*.h5"))
    found = records(builder, "train")
    assert len(found) == 2 * len(paths)
    for i, path in enumerate(paths):
        with h5py.File(path) as file:
            target = file["reconstruction_esc"][()]
            attributes = dict(file.attrs)
        for j, record in enumerate(found[2 * i : 2 * i + 2]):
            image = record.pop("image")
            assert image.shape == (8, 8, 1) and image.dtype == np.float32
            expected = (target[j] / target.max())[..., None]
            np.testing.assert_array_equal(image, expected)
            assert record.pop("norm") == pytest.approx(attributes["norm"])
            sizes = record.pop("voxel_size")
            np.testing.assert_allclose(sizes, (3, 0.4375, 0.4375))
            assert record == {
                "volume": path.stem.encode(),
                "patient": attributes["patient_id"].encode(),
                "slice": j,
                "acquisition": attributes["acquisition"].encode(),
                "max": attributes["max"],
                "source": b"simulated",
                "normalized_by": b"volume_maximum",
                "cropped_by": b"none",
                "combined_by": b"emulated_singlecoil",
            }


def test_larger_images_are_cropped(written, tmp_path):
    folder = written[0] / "knee"
    builder = build(folder, tmp_path, config("knee_singlecoil", size=6))
    found = records(builder, "validation")
    path = sorted((folder / "singlecoil_val").glob("*.h5"))[0]
    with h5py.File(path) as file:
        target = file["reconstruction_esc"][:, 1:7, 1:7]
    expected = target / target.max()
    for record, image in zip(found, expected):
        np.testing.assert_array_equal(record["image"][..., 0], image)
        assert record["cropped_by"] == b"center_crop"
        # The field of view has changed, the pixels have not.
        np.testing.assert_allclose(record["voxel_size"], (3, 0.4375, 0.4375))
        assert record["max"] == target.max()


@pytest.mark.parametrize("kind", KINDS[2:])
def test_kspace_records(written, tmp_path, kind):
    anatomy, coils = kind.split("_")[:2]
    folder = written[0] / anatomy
    builder = build(folder, tmp_path, kind)
    path = sorted((folder / f"{coils}_val").glob("*.h5"))[0]
    target = "esc" if coils == "singlecoil" else "rss"
    with h5py.File(path) as file:
        kspace = file["kspace"][()]
        target = file[f"reconstruction_{target}"][()]
    for j, record in enumerate(records(builder, "validation")[:2]):
        assert record["slice"] == j
        assert record["kspace"].dtype == np.complex64
        assert record["kspace"].tobytes() == kspace[j].tobytes()
        np.testing.assert_array_equal(record["target"], target[j])
        assert (record["padding_left"], record["padding_right"]) == (1, 11)
        assert record["encoded_size"].tolist() == [16, 12, 1]
        assert record["recon_size"].tolist() == [8, 8, 1]
        assert record["acquired_size"].tolist() == [16, 10, 1]
        assert record["max"] == target.max()
        assert record["normalized_by"] == b"none"
        combined = b"rss" if coils == "multicoil" else b"emulated_singlecoil"
        assert record["combined_by"] == combined


def test_source_of_real_files(knee, tmp_path):
    for path in knee.glob("*_val/*.h5"):
        with h5py.File(path, "r+") as file:
            header = file["ismrmrd_header"][()].decode()
            del file["ismrmrd_header"]
            header = header.replace("simulated<", "A vendor<")
            file["ismrmrd_header"] = header
    builder = build(knee, tmp_path, config("knee_singlecoil"))
    sources = {r["source"] for r in records(builder, "validation")}
    assert sources == {b"emulated_singlecoil"}
    builder = build(knee, tmp_path, "knee_multicoil")
    assert records(builder, "validation")[0]["source"] == b"raw_multicoil"


def test_array_record_holds_the_same(written, tmp_path):
    folder = written[0] / "knee"
    first = build(folder, tmp_path / "a", "knee_multicoil")
    second = build(
        folder, tmp_path / "b", "knee_multicoil", file_format="array_record"
    )
    for split in ("train", "validation"):
        others = second.as_data_source(split)
        for one, other in zip(records(first, split), others, strict=True):
            assert set(one) == set(other)
            for key, value in one.items():
                # The data source returns scalars as float64 and int64.
                found = np.asarray(other[key], np.asarray(value).dtype)
                assert found.tobytes() == np.asarray(value).tobytes()


def test_one_folder_only(knee, tmp_path):
    shutil.rmtree(knee / "singlecoil_train")
    builder = build(knee, tmp_path, config("knee_singlecoil"))
    assert list(builder.info.splits) == ["validation"]


def test_4s(knee, tmp_path):
    builder = build(knee, tmp_path, config("knee_singlecoil_4s"))
    stored = json.loads((tmp_path / "data/fastmri_slices").joinpath(
        builder.builder_config.name, "1.1.0/manifest.json"
    ).read_text())  # fmt: skip
    assert stored["seed"] == 0
    for split in ("train", "validation", "test"):
        assert volumes(builder, split) == stored["splits"][split]
        assert len(records(builder, split)) == stored["slices"][split]
    held_out = stored["splits"]["validation"] + stored["splits"]["test"]
    assert set(held_out) <= set(stems(knee, "singlecoil_val"))
    # The manifest that was written makes the same data set again.
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(stored))
    again = config("knee_singlecoil_4s", manifest=path)
    again = build(knee, tmp_path, again)
    for split in stored["splits"]:
        for one, other in zip(
            records(builder, split), records(again, split), strict=True
        ):
            assert one["image"].tobytes() == other["image"].tobytes()


def test_4s_leaves_out_and_reports_bad_headers(knee, tmp_path):
    bad = sorted((knee / "singlecoil_train").glob("*.h5"))[1]
    bad.write_bytes(bad.read_bytes()[:1000])
    kind = config("knee_singlecoil_4s")
    with pytest.raises(BadVolumeError, match=bad.name):
        build(knee, tmp_path, kind)
    builder = build(knee, tmp_path, kind, on_bad_volume="skip")
    assert bad.stem not in volumes(builder, "train")
    report = (builder.data_path / "bad_volumes.txt").read_text()
    assert bad.name in report and "(train)" in report


def test_own_manifest(knee, tmp_path):
    train = stems(knee, "singlecoil_train")
    val = stems(knee, "singlecoil_val")
    splits = {"train": [f"{val[1]}.h5", train[2]], "test": [val[0]]}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"splits": splits}))
    kind = FastmriSlicesConfig("knee_singlecoil_kspace", manifest=path)
    builder = build(knee, tmp_path, kind)
    assert volumes(builder, "train") == [val[1], train[2]]
    assert volumes(builder, "test") == [val[0]]
    stored = builder.data_path / "manifest.json"
    assert stored.read_bytes() == path.read_bytes()
    # Another manifest is another data set, which has a name of its own.
    path.write_text(json.dumps({"splits": {"test": [val[0]]}}))
    other = FastmriSlicesConfig("knee_singlecoil_kspace", manifest=path)
    assert other.name != kind.name
    assert other.name.startswith("knee_singlecoil_kspace_manifest_")
    loaded = tfds.load(
        f"fastmri_slices/{kind.name}", split="test", data_dir=tmp_path / "data"
    )
    assert len(loaded) == 2


@pytest.mark.parametrize(
    "text, match",
    [
        ("{", "Expected JSON"),
        ("[]", "Expected JSON"),
        ('{"train": ["a"]}', "Expected JSON.*splits"),
        (
            '{"splits": {"train": "a"}}',
            "Expected JSON.*list",
        ),
        ('{"splits": {"train": [1]}}', "Expected JSON"),
        ('{"splits": {}}', "Expected splits among"),
        ('{"splits": {"train": []}}', "none of them empty.*'train': 0"),
        ('{"splits": {"trian": ["a"]}}', "among.*trian"),
        ('{"splits": {"train": ["a", "a.h5"]}}', "a in train and train"),
        ('{"splits": {"train": ["a"], "test": ["a"]}}', "a in train and test"),
        ('{"splits": {"train": ["x", "b", "../a"]}}', r"2 .*: x, \.\./a"),
    ],
)
def test_invalid_manifest(text, match):
    available = {"a": "folder/a.h5", "b": "folder/b.h5"}
    with pytest.raises(ValueError, match=match):
        manifest.parse(text, available)


def many(count, seed, patients=None):
    rng = np.random.default_rng(seed)
    return {
        f"v{seed}_{i}": (
            int(rng.integers(26, 46)),
            f"p{seed}_{i % patients}" if patients else "",
        )
        for i in range(count)
    }


def test_4s_of_as_many_volumes_as_fastmri():
    train, held_out = many(973, 0), many(199, 1, patients=150)
    chosen = manifest.choose_4s(train, held_out, seed=0)
    assert chosen["slices"] == {"train": 1895, "validation": 188, "test": 186}
    everything = {**train, **held_out}
    for split, names in chosen["splits"].items():
        slices = sum(everything[name][0] for name in names)
        assert slices == chosen["slices"][split]
        assert set(names) <= set(train if split == "train" else held_out)
    patients = [
        {held_out[name][1] for name in chosen["splits"][split]}
        for split in ("validation", "test")
    ]
    assert not patients[0] & patients[1]
    assert chosen == manifest.choose_4s(train, held_out, seed=0)
    other = manifest.choose_4s(train, held_out, seed=1)
    assert other["slices"] == chosen["slices"]
    common = set(other["splits"]["train"]) & set(chosen["splits"]["train"])
    assert len(common) < 20


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_4s_of_fewer_volumes(count):
    chosen = manifest.choose_4s(many(60, 0), many(count, 1), seed=0)
    slices = chosen["slices"]
    available = sum(n for n, _ in many(count, 1).values())
    factor = min(1, available / 374)
    assert slices["train"] == pytest.approx(1895 * factor, abs=23)
    assert slices["validation"] == pytest.approx(188 * factor, abs=23)
    assert slices["test"] > 0
    names = sum(chosen["splits"].values(), [])
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "train, held_out", [({}, many(3, 1)), (many(3, 0), many(3, 1, patients=1))]
)
def test_4s_of_too_few_volumes(train, held_out):
    with pytest.raises(ValueError, match="two patients.*Received: "):
        manifest.choose_4s(train, held_out)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def set_nan(path):
    with h5py.File(path, "r+") as file:
        file["reconstruction_esc"][1, 2, 3] = np.nan


def zero(path):
    with h5py.File(path, "r+") as file:
        file["reconstruction_esc"][...] = 0


def drop_target(path):
    with h5py.File(path, "r+") as file:
        del file["reconstruction_esc"]


def drop_slice(path):
    with h5py.File(path, "r+") as file:
        kspace = file["kspace"][:1]
        del file["kspace"]
        file["kspace"] = kspace


def add_coils(path):
    with h5py.File(path, "r+") as file:
        kspace = file["kspace"][()][:, None]
        del file["kspace"]
        file["kspace"] = kspace


def shrink(path):
    with h5py.File(path, "r+") as file:
        target = file["reconstruction_esc"][:, :7]
        del file["reconstruction_esc"]
        file["reconstruction_esc"] = target


def make_brain(path):
    with h5py.File(path, "r+") as file:
        file.attrs["acquisition"] = "AXT2"


@pytest.mark.parametrize(
    "spoil, match",
    [
        (truncate, "Expected an HDF5 file.*truncated"),
        (set_nan, "Expected finite values.*Received: 1 "),
        (zero, ".*maximum above 0"),
        (drop_target, "Expected a reconstruction_esc"),
        (drop_slice, ".*equally many slices.*1 and 2"),
        (add_coils, r".*singlecoil file.*\(2, 1, 16, 12\)"),
        (shrink, r".*at least 8 rows and columns.*\(7, 8\)"),
        (make_brain, "Expected a knee.*AXT2, a brain"),
    ],
)
def test_bad_volumes(knee, tmp_path, spoil, match):
    bad = sorted((knee / "singlecoil_val").glob("*.h5"))[2]
    spoil(bad)
    kind = config("knee_singlecoil")
    with pytest.raises(BadVolumeError, match=f"{bad.name}. {match}"):
        build(knee, tmp_path, kind)
    with pytest.raises(ValueError):
        name = f"fastmri_slices/{kind.name}"
        tfds.load(name, data_dir=tmp_path / "data", download=False)
    builder = build(knee, tmp_path, kind, on_bad_volume="skip")
    expected = stems(knee, "singlecoil_val")
    expected.remove(bad.stem)
    assert volumes(builder, "validation") == expected
    assert bad.name in (builder.data_path / "bad_volumes.txt").read_text()


def test_nan_in_kspace(knee, tmp_path):
    bad = sorted((knee / "multicoil_val").glob("*.h5"))[1]
    with h5py.File(bad, "r+") as file:
        file["kspace"][1, 0, 3, 3] = np.inf
    with pytest.raises(BadVolumeError, match="kspace of slice 1"):
        build(knee, tmp_path, "knee_multicoil")


@pytest.mark.parametrize("exists", [False, True])
def test_no_files(tmp_path, exists):
    folder = tmp_path / "manual"
    if exists:
        (folder / "singlecoil_trian").mkdir(parents=True)
    with pytest.raises(ValueError, match="(?s)manual.*fastmri.med.nyu.edu"):
        build(folder, tmp_path, "knee_singlecoil")


def test_configurations():
    builder = fastmri_slices_dataset_builder.Builder
    assert list(builder.builder_configs) == KINDS
    variants = [
        *KINDS,
        config("knee_singlecoil", size=128).name,
        config("knee_singlecoil_4s", size=320, seed=1).name,
        config("knee_singlecoil_4s", size=128, seed=1).name,
    ]
    assert len(set(variants)) == len(variants)
    # One that TFDS knows by its name may be given as an object too.
    given = builder(config=FastmriSlicesConfig("knee_singlecoil"))
    assert given.builder_config.name == "knee_singlecoil"


@pytest.mark.parametrize(
    "args, match",
    [
        (("knee",), "`kind`.*kind='knee'"),
        (("knee_multicoil", 320), "`size`.*size=320"),
        (("knee_singlecoil", 0), "`size`.*size=0"),
        (("knee_singlecoil", 8.0), "`size`.*size=8.0"),
        (("knee_singlecoil", None, "none.json"), "`manifest`.*none.json"),
        (("knee_singlecoil_4s", None, None, -1), "`seed`.*seed=-1"),
    ],
)
def test_invalid_configurations(args, match):
    with pytest.raises(ValueError, match=match):
        FastmriSlicesConfig(*args)
