import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets import load_arrays, load_volumes, split_by_volume
from loupe_tf.reading import BadFileError


def test_npz_with_a_text_beside_the_arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((2, 4, 5), "float32"))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("readme.txt", "where it is from")
    images, volumes = load_volumes(path)
    assert images.shape == (2, 4, 5, 1)
    assert volumes.tolist() == 2 * ["a.npz:x"]
    np.savez(path)
    with pytest.raises(BadFileError, match="a.npz.*Received: none"):
        load_volumes(path)


def test_other_files_are_told_the_way_on(tmp_path):
    (tmp_path / "brain.nii.gz").touch()
    with pytest.raises(ValueError) as info:
        load_volumes(tmp_path)
    way_on = f"`loupe-tf build mri_volumes/mine --data {tmp_path}`"
    assert way_on in str(info.value)
    with pytest.raises(ValueError, match="loupe-tf build"):
        load_volumes(tmp_path / "brain.nii.gz")


@pytest.mark.parametrize(
    "image, match",
    [
        (np.ones((4, 4), "complex64"), "volume b of .*float32.*complex64"),
        (np.ones((4, 4), "float64"), "volume b of .*float32.*float64"),
        (np.ones((4, 4), "uint8"), "volume b of .*float32.*uint8"),
        (np.full((4, 4), np.nan, "float32"), "volume b of .*finite"),
        (np.ones((4, 5), "float32"), r"volume b of .*\(4, 4\).*\(4, 5\)"),
    ],
)
def test_load_arrays_invalid_images(tmp_path, image, match):
    features = {
        "image": tfds.features.Tensor(
            shape=(None, None), dtype=image.dtype, encoding="bytes"
        ),
        "volume": tfds.features.Text(),
    }
    good = {"image": np.ones((4, 4), image.dtype), "volume": "a"}
    examples = [good, {"image": image, "volume": "b"}]
    if image.dtype != np.float32:
        examples = examples[1:]
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="some_images",
        version="1.0.0",
        data_dir=tmp_path,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": list(enumerate(examples))},
        disable_shuffling=True,
    )
    with pytest.raises(ValueError, match=match):
        load_arrays(builder, "train")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "b.npy", rng.random((3, 4, 5)))
    several = {"x": rng.random((4, 5)), "y": 7 * rng.random((2, 4, 5, 1))}
    several = {key: v.astype("float32") for key, v in several.items()}
    np.savez(tmp_path / "a.npz", **several)
    (tmp_path / "notes.txt").write_text("not a volume")
    return tmp_path


def test_load_volumes(folder):
    images, volumes = load_volumes(folder)
    assert images.shape == (6, 4, 5, 1) and images.dtype == np.float32
    names = ["a.npz:x"] + 2 * ["a.npz:y"] + 3 * ["b.npy"]
    assert volumes.tolist() == names
    for name in names:
        assert images[volumes == name].max() == 1
    stored = np.load(folder / "b.npy")
    alone, _ = load_volumes(str(folder / "b.npy"))
    np.testing.assert_allclose(alone[..., 0], stored / stored.max(), rtol=1e-6)
    np.testing.assert_array_equal(alone, images[3:])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_volumes(tmp_path, rng, dtype):
    stored = (rng.normal(size=(2, 4, 5, 2)) @ [1, 1j]).astype(dtype)
    np.save(tmp_path / "a.npy", stored)
    np.save(tmp_path / "b.npy", 3j * stored)
    images, volumes = load_volumes(tmp_path, complex_images=True)
    assert images.shape == (4, 4, 5, 2) and images.dtype == np.float32
    assert volumes.tolist() == ["a.npy"] * 2 + ["b.npy"] * 2
    found = images @ np.array([1, 1j])
    scaled = stored / np.abs(stored).max()
    np.testing.assert_allclose(found[:2], scaled, atol=1e-6)
    np.testing.assert_allclose(found[2:], 1j * scaled, atol=1e-6)
    # Magnitudes beside them are another kind of images.
    np.save(tmp_path / "c.npy", np.abs(stored))
    with pytest.raises(ValueError, match="c.npy.*all volumes or in none"):
        load_volumes(tmp_path, complex_images=True)


@pytest.mark.parametrize(
    "volume, match",
    [
        (np.ones((2, 4, 5), "int16"), "c.npy.*float32.*int16"),
        (np.ones((2, 4, 5), "complex64"), "c.npy.*float32.*complex64"),
        (np.ones((2, 4, 5), "float16"), "c.npy.*float32.*float16"),
        (np.full((2, 4, 5), np.inf), "c.npy.*finite.*40"),
        (np.zeros((2, 4, 5)), "c.npy.*maximum"),
        (np.ones((2, 4, 6)), r"c.npy.*\(4, 5\).*\(4, 6\)"),
        (np.ones((2, 4, 5, 2)), r"c.npy.*\(2, 4, 5, 2\)"),
        (np.ones((0, 4, 5)), r"c.npy.*\(0, 4, 5\)"),
        (np.ones(4), r"c.npy.*\(4,\)"),
        (np.array([{}]), "c.npy"),
    ],
)
def test_load_volumes_invalid_volume(folder, volume, match):
    np.save(folder / "c.npy", volume)
    with pytest.raises(ValueError, match=match):
        load_volumes(folder)


def test_load_volumes_unreadable(folder):
    np.savez_compressed(folder / "a.npz", np.random.rand(99))
    content = (folder / "a.npz").read_bytes()
    scrambled = content[:60] + 60 * b"\xff" + content[120:]
    for broken in (b"", b"PK", content[:100], content[:-30], scrambled):
        (folder / "a.npz").write_bytes(broken)
        with pytest.raises(BadFileError, match="a.npz"):
            load_volumes(folder / "a.npz")
    for path in (folder / "none.npy", folder / "notes.txt", folder / "none"):
        with pytest.raises(ValueError, match=f"`path`.*{path.name}"):
            load_volumes(path)


@pytest.mark.parametrize("count", [3, 4, 10, 101])
def test_split_by_volume(count):
    volumes = np.repeat([f"v{i}" for i in range(count)], 3)
    splits = split_by_volume(volumes)
    assert list(splits) == ["train", "validation", "test"]
    total = np.sum(list(splits.values()), axis=0)
    np.testing.assert_array_equal(total, np.ones(3 * count))
    parts = [set(volumes[index]) for index in splits.values()]
    sizes = [len(part) for part in parts]
    assert sum(sizes) == count and min(sizes) >= 1
    np.testing.assert_allclose(sizes[1:], 0.15 * count, atol=1)
    for split, index in split_by_volume(volumes).items():
        np.testing.assert_array_equal(index, splits[split])


@pytest.mark.parametrize("fractions", [(0.2, 0.4, 0.4), (0.1, 0.2, 0.7)])
@pytest.mark.parametrize("count", [3, 4, 5])
def test_split_by_volume_leaves_no_split_empty(count, fractions):
    splits = split_by_volume(np.arange(count), fractions)
    assert all(part.any() for part in splits.values())
    assert sum(map(np.sum, splits.values())) == count


def test_split_by_volume_seed():
    first, other = (
        split_by_volume(np.arange(50), seed=seed)["train"] for seed in (0, 1)
    )
    assert (first != other).any()


@pytest.mark.parametrize(
    "volumes, fractions, match",
    [
        (
            ["a", "b"],
            (0.7, 0.15, 0.15),
            "`volumes`.*2 volumes, .*at least 1 more",
        ),
        ([], (0.7, 0.15, 0.15), "`volumes`.*0 volumes, .*at least 3 more"),
        (range(9), (0.7, 0.3), "`fractions`"),
        (range(9), (0.7, 0.3, 0.0), "`fractions`"),
        (range(9), (0.7, 0.2, 0.2), "`fractions`"),
    ],
)
def test_split_by_volume_errors(volumes, fractions, match):
    with pytest.raises(ValueError, match=match):
        split_by_volume(list(volumes), fractions)
