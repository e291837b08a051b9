import json
import re
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets import (
    FastmriSlicesConfig,
    Slices,
    inspect,
    load_arrays,
    load_splits,
    write_fastmri_volume,
)
from loupe_tf.datasets.resize import crop_to_acquired

FEATURES = {
    "image": tfds.features.Tensor(
        shape=(None, None, 1), dtype=np.float32, encoding="bytes"
    ),
    "volume": tfds.features.Text(),
    "patient": tfds.features.Text(),
    "source": tfds.features.Text(),
    "voxel_size": tfds.features.Tensor(shape=(3,), dtype=np.float32),
}


def prepare(
    data_dir, splits, without=(), file_format="tfrecord", patients=True
):
    """A data set of two slices a volume and two volumes a patient."""

    def records(split, volumes):
        for i in range(2 * volumes):
            record = {
                "image": np.full((4, 5, 1), i, "float32"),
                "volume": f"{split}{i // 2}",
                "patient": f"{split} patient {i // 4}" if patients else "",
                "source": "raw_multicoil",
                "voxel_size": np.array([3, 0.5, 0.8 + 0.1 * i], "float32"),
            }
            yield i, {k: v for k, v in record.items() if k not in without}

    tfds.dataset_builders.store_as_tfds_dataset(
        name="volumes",
        version="1.0.0",
        data_dir=data_dir,
        features=tfds.features.FeaturesDict(
            {k: v for k, v in FEATURES.items() if k not in without}
        ),
        split_datasets={k: list(records(k, n)) for k, n in splits.items()},
        file_format=file_format,
    )


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_splits_of_its_own(tmp_path, file_format):
    splits = {"train": 3, "validation": 1, "test": 2}
    prepare(tmp_path, splits, file_format=file_format)
    data, source = load_splits("volumes", tmp_path)
    assert source == "TFDS volumes/1.0.0, its own splits, by volume" or (
        source == "TFDS volumes/default/1.0.0, its own splits, by volume"
    )
    for split, volumes in splits.items():
        assert data[split].images.shape == (2 * volumes, 4, 5, 1)
        text = f"{volumes} volume{'s' * (volumes > 1)} ({2 * volumes} slices)"
        assert str(data[split]) == text
    train = data["train"]
    order = np.argsort(train.images[:, 0, 0, 0])
    assert train.volumes[order].tolist() == [
        *("train0", "train0", "train1", "train1", "train2", "train2")
    ]
    assert set(train.patients) == {"train patient 0", "train patient 1"}
    assert set(train.sources) == {"raw_multicoil"}
    expected = 0.8 + 0.1 * train.images[:, 0, 0, 0]
    np.testing.assert_allclose(train.voxel_sizes[:, 2], expected, rtol=1e-6)
    # Columns of several sizes have none.
    assert train.voxel_size == (3, 0.5, None) and train.field_of_view is None
    one = train.select(np.arange(6) == 0)
    assert one.field_of_view == pytest.approx((4 * 0.5, 5 * expected[0]))


@pytest.mark.parametrize(
    "without, group",
    [((), "patient"), (("patient", "source", "voxel_size"), "volume")],
)
def test_without_a_test_split(tmp_path, without, group):
    prepare(tmp_path, {"train": 1, "validation": 7}, without)
    data, source = load_splits("volumes", tmp_path, seed=3)
    assert (
        f"no test split, so its validation split was divided by {group} "
        in (source)
    )
    halves = data["validation"], data["test"]
    names = [set(half.volumes if without else half.patients) for half in halves]
    assert not names[0] & names[1] and all(names)
    # The validation split keeps the larger half of an odd number.
    assert [len(each) for each in names] == ([4, 3] if without else [2, 2])
    assert sum(len(half.images) for half in halves) == 14
    assert (data["train"].patients is None) == bool(without)
    if without:
        assert data["test"].voxel_size == (None, None, None)
        assert data["test"].field_of_view is None
    again, _ = load_splits("volumes", tmp_path, seed=3)
    assert again["test"].volumes.tolist() == halves[1].volumes.tolist()


def test_unknown_patients_without_a_test_split(tmp_path):
    """As `fastmri_slices` writes them where a file does not say."""
    prepare(tmp_path, {"train": 1, "validation": 4}, patients=False)
    data, source = load_splits("volumes", tmp_path)
    assert "divided by volume at random" in source
    halves = [set(data[name].volumes) for name in ("validation", "test")]
    assert not halves[0] & halves[1]
    assert [len(each) for each in halves] == [2, 2]


@pytest.mark.parametrize(
    "splits, match",
    [
        ({"train": 3}, "'validation'.*Received: .'train'"),
        # One patient.
        ({"train": 1, "validation": 2}, "two patients or volumes.*patient 0"),
    ],
)
def test_not_enough(tmp_path, splits, match):
    prepare(tmp_path, splits)
    with pytest.raises(ValueError, match=match):
        load_splits("volumes", tmp_path)


@pytest.mark.parametrize("name", ["no_such", "mri_volumes/no_such"])
def test_neither_files_nor_a_data_set(tmp_path, name):
    with pytest.raises(ValueError, match=f"`data`.*data={name}, data_dir="):
        load_splits(name, tmp_path)


def test_without_tfds_there_are_files_alone(tmp_path, rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match="`data`.*existing file or folder"):
        load_splits("mni_brain/64")
    volumes = rng.uniform(size=(3, 2, 8, 8)).astype("float32")
    path = tmp_path / "images.npz"
    np.savez(path, *volumes)
    splits, _ = load_splits(path)
    names = [part.volumes[0] for part in splits.values()]
    assert sorted(names) == [f"images.npz:arr_{i}" for i in range(3)]
    assert inspect(splits["test"].images).findings


def test_files(tmp_path, rng):
    for i in range(5):
        np.save(tmp_path / f"{i}.npy", rng.uniform(size=(2, 4, 5)))
    data, source = load_splits(str(tmp_path))
    assert source.startswith("files ") and source.endswith(" at random")
    assert [len(s.images) for s in data.values()] == [6, 2, 2]
    every = np.concatenate([s.volumes for s in data.values()])
    assert sorted(set(every)) == [f"{i}.npy" for i in range(5)]
    assert data["train"].patients is None


@pytest.mark.parametrize("shape", [(9, 8), (1, 9, 8)])
def test_too_few_files_are_named(tmp_path, shape):
    np.save(tmp_path / "image.npy", np.ones(shape, "float32"))
    message = re.escape(
        "each an array of shape (slices, H, W). Received: image.npy of shape "
        f"{shape}, which is a single slice. "
    )
    with pytest.raises(ValueError, match=f"`data`.*{message}.*2 more"):
        load_splits(str(tmp_path))
    # Three images are three volumes.
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.ones(shape, "float32"))
    splits, _ = load_splits(str(tmp_path))
    assert [len(part.images) for part in splits.values()] == [1, 1, 1]


def test_evenly_takes_some_of_every_volume(images):
    volumes = np.array(["a"] * 6 + ["b"] * 2)
    few = Slices(images, volumes).evenly(3)
    assert few.volumes.tolist() == ["a"] * 3 + ["b"] * 2
    np.testing.assert_array_equal(few.images, images[[1, 3, 5, 6, 7]])


def test_crop_to_acquired(rng):
    images = rng.uniform(size=(4, 8, 8, 1)).astype("float32")
    sizes = np.full((4, 3), 0.5, "float32")
    slices = Slices(images, np.array(["a", "a", "b", "b"]), voxel_sizes=sizes)
    cropped = slices.crop_to_acquired((8, 4))
    assert cropped.images.shape == (4, 8, 4, 1)
    # Each volume has its maximum again.
    assert cropped.images[:2].max() == cropped.images[2:].max() == 1
    assert cropped.volumes is slices.volumes
    assert cropped.voxel_size == (0.5, 0.5, 1)
    assert cropped.field_of_view == slices.field_of_view == (4, 4)


def test_crop_complex_images_to_acquired(rng):
    images = rng.normal(size=(4, 8, 8, 2)).astype("float32")
    slices = Slices(images, np.array(["a", "a", "b", "b"]))
    cropped = slices.crop_to_acquired((8, 4)).images
    assert cropped.shape == (4, 8, 4, 2) and cropped.dtype == np.float32
    expected = crop_to_acquired(images @ np.array([1, 1j]), (8, 4))
    found = cropped @ np.array([1, 1j])
    for rows in (slice(2), slice(2, 4)):
        largest = np.abs(expected[rows]).max()
        np.testing.assert_allclose(
            found[rows], expected[rows] / largest, atol=1e-6
        )


def test_what_an_earlier_version_has_built(tmp_path):
    """It is found by the same name, and its voxel sizes are not known."""
    path = tmp_path / "data"
    config = FastmriSlicesConfig("knee_singlecoil", size=8)
    for part, seed in (("train", 0), ("val", 1)):
        for i in range(2):
            file = tmp_path / f"files/singlecoil_{part}/file{seed}{i}.h5"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_fastmri_volume(
                file,
                slices=1,
                size=(16, 12),
                recon_size=(8, 8),
                patient_id=f"patient {seed}{i}",
            )
    builder = tfds.builder("fastmri_slices", config=config, data_dir=path)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=tmp_path / "files"
        )
    )
    data, _ = load_splits(f"fastmri_slices/{config.name}", path)
    assert data["train"].field_of_view == (3.5, 3.5)
    # As that version wrote it: without the feature.
    now = builder.data_path
    before = now.rename(now.with_name("1.0.0"))
    for file in before.glob("*.json"):
        text = file.read_text()
        for key in ("version", "configVersion"):
            text = text.replace(f'"{key}": "1.1.0"', f'"{key}": "1.0.0"')
        file.write_text(text)
    features = json.loads((before / "features.json").read_text())
    del features["featuresDict"]["features"]["voxel_size"]
    (before / "features.json").write_text(json.dumps(features))
    plain = "fastmri_slices/knee_singlecoil"
    (path / f"fastmri_slices/{config.name}").rename(path / plain)
    for each in (plain, f"{plain}:1.0.0"):
        data, source = load_splits(each, path)
        assert "1.0.0" in source and len(data["train"].images) == 2
        assert data["train"].field_of_view is None
    images, _ = load_arrays(plain, "train", path)
    assert images.shape == (2, 8, 8, 1)
