import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets import MniBrainConfig, load_arrays
from loupe_tf.datasets.mni_brain import mni_brain_dataset_builder, simulate

SUBJECTS = {"train": 4, "validation": 1, "test": 1}


def tiny(**kwargs):
    settings = {"size": 33, "slices": 3, "subjects": SUBJECTS, **kwargs}
    return MniBrainConfig(**settings)


def prepare(folder, config):
    builder = tfds.builder("mni_brain", config=config, data_dir=folder)
    builder.download_and_prepare()
    return builder


def no_network(*args, **kwargs):
    raise AssertionError("The network was used.")


@pytest.fixture(scope="module")
def templates():
    return simulate.load_templates()


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", no_network)
        patch.setattr(socket, "getaddrinfo", no_network)
        return prepare(tmp_path_factory.mktemp("data"), tiny())


class MniBrainTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = mni_brain_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = [tiny(size=16, slices=2)]
    EXAMPLE_DIR = str(pathlib.Path(__file__).parent)
    SPLITS = {"train": 8, "validation": 2, "test": 2}


def test_records(builder):
    subjects = set()
    for split, count in SUBJECTS.items():
        records = list(tfds.as_numpy(builder.as_dataset(split=split)))
        assert [r["slice"] for r in records] == [0, 1, 2] * count
        volumes = [r["volume"].decode() for r in records]
        contrasts = ["T1", "T2", "PD", "FLAIR"][:count]
        expected = [f"{split}_{i:03d}_{c}" for i, c in enumerate(contrasts)]
        assert volumes == list(np.repeat(expected, 3))
        subjects |= {r["subject"] for r in records}

        images = np.stack([r["image"] for r in records])
        assert images.shape == (3 * count, 33, 33, 1)
        assert images.dtype == np.float32 and images.min() >= 0
        for record in records:
            sizes = 3 * record["voxel_size"][0], *33 * record["voxel_size"][1:]
            np.testing.assert_allclose(sizes, (96, 220, 220), rtol=1e-6)
        largest = images.reshape(count, -1).max(axis=1)
        np.testing.assert_array_equal(largest, np.ones(count))
    assert len(subjects) == sum(SUBJECTS.values())


def test_image_times_max_is_the_simulated_volume(builder, templates):
    records = builder.as_dataset(split="validation")
    volume = simulate.simulate_volume(templates, (0, 1, 0), "T1", 33, 3)
    for record, image in zip(tfds.as_numpy(records), volume, strict=True):
        found = record["image"][..., 0] * record["max"]
        np.testing.assert_allclose(found, image, rtol=1e-5)


def test_a_subject_does_not_depend_on_the_number_of_subjects(builder, tmp_path):
    fewer = prepare(tmp_path, tiny(subjects={"train": 2, "test": 1}))
    assert set(fewer.info.splits) == {"train", "test"}
    for part in ("train[:6]", "test"):
        images, volumes = load_arrays(fewer, part)
        others, names = load_arrays(builder, part)
        assert images.tobytes() == others.tobytes()
        assert list(volumes) == list(names)


def test_seed(templates):
    first, same, other = (
        simulate.simulate_volume(templates, seed, "T1", 20, 1)
        for seed in (3, 3, 4)
    )
    assert first.tobytes() == same.tobytes()
    assert np.corrcoef(first.ravel(), other.ravel())[0, 1] < 0.95


@pytest.mark.parametrize("size", [96, 99, 320])
def test_a_subject_is_the_same_at_all_sizes(templates, size):
    large, small, other = (
        abs(simulate.resize(simulate.simulate_volume(templates, *args, 1), 64))
        for args in ((1, "T1", size), (1, "T1", 64), (2, "T1", 64))
    )
    assert np.corrcoef(large.ravel(), small.ravel())[0, 1] > 0.99
    assert np.corrcoef(large.ravel(), other.ravel())[0, 1] < 0.95


def test_contrasts_differ(templates):
    image = {
        contrast: simulate.simulate_volume(templates, 0, contrast, 64, 5)
        for contrast in simulate.CONTRASTS
    }
    fluid = image["T2"] > np.quantile(image["T2"], 0.99)
    white = image["T1"] > np.quantile(image["T1"], 0.95)
    ratio = {c: v[fluid].mean() / v[white].mean() for c, v in image.items()}
    assert ratio["T2"] > 2 and 1.1 < ratio["PD"] < 2
    assert ratio["T1"] < 0.8 and ratio["FLAIR"] < 0.8


@pytest.mark.parametrize("size", [64, 320])
def test_border_of_k_space_is_not_empty(templates, size):
    volume = simulate.simulate_volume(templates, 0, "T1", size, 2)
    kspace = np.fft.fft2(volume, norm="ortho")
    border = kspace[:, size // 2 - 2 : size // 2 + 2]
    assert np.sqrt(np.mean(np.abs(border) ** 2)) > 0.005


def test_brain_lies_inside_the_field_of_view(templates):
    for seed in range(8):
        volume = simulate.simulate_volume(templates, seed, "PD", 64, 6)
        assert (volume > 0.3).mean(axis=(1, 2)).min() > 0.1
        border = np.concatenate(
            [volume[:, [0, -1]].ravel(), volume[..., 0].ravel()]
        )
        assert border.max() < 0.25


def test_deformation_does_not_fold():
    axis = np.linspace(-0.45, 0.45, 45)
    step = simulate.FIELD_OF_VIEW * (axis[1] - axis[0])
    for seed in range(4):
        places = simulate.deform(np.random.default_rng(seed), (axis,) * 3)
        jacobian = np.stack(np.gradient(places, step, axis=(1, 2, 3)), axis=-1)
        determinant = np.linalg.det(np.moveaxis(jacobian, 0, -2))
        assert determinant.min() > 0.1 and determinant.max() < 3


@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize("n", [220, 221])
def test_resize_keeps_low_frequencies_and_drops_high_ones(n, size):
    def wave(size, cycles):
        position = (np.arange(size) - size // 2) / size
        return np.cos(2 * np.pi * cycles * position + 0.3)[None, None, :]

    def images(cycles):
        return np.repeat(wave(n, cycles), n, axis=1)

    low = simulate.resize(1 + images(5), size)
    expected = np.repeat(1 + wave(size, 5), size, axis=1)
    np.testing.assert_allclose(low, expected, atol=1e-6)
    np.testing.assert_allclose(simulate.resize(images(60), size), 0, atol=1e-6)


def test_configurations():
    configs = mni_brain_dataset_builder.Builder.BUILDER_CONFIGS
    assert [c.name for c in configs] == ["320", "128", "96", "64"]
    assert [c.size for c in configs] == [320, 128, 96, 64]
    variants = [
        tiny(),
        tiny(size=34),
        tiny(slices=4),
        tiny(seed=1),
        tiny(subjects={**SUBJECTS, "train": 5}),
        tiny(subjects={**SUBJECTS, "test": 5}),
        tiny(subjects={"train": 4, "test": 1}),
        tiny(subjects={"validation": 4, "test": 1}),
    ]
    assert len({config.name for config in variants}) == len(variants)


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"size": 8}, "`size`.*Received: size=8"),
        ({"size": 96.0}, "`size`.*Received: size=96.0"),
        ({"slices": 0}, "`slices`"),
        ({"seed": -1}, "`seed`"),
        ({"seed": True}, "`seed`"),
        ({"subjects": {}}, "`subjects`"),
        ({"subjects": 4}, "`subjects`"),
        ({"subjects": {"trian": 4}}, "`subjects`.*trian"),
        ({"subjects": {"train": 0}}, r"`subjects\['train'\]`.*=0"),
    ],
)
def test_invalid_configurations(kwargs, match):
    with pytest.raises(ValueError, match=match):
        MniBrainConfig(**kwargs)


def test_missing_nilearn_is_told_at_generation_only(tmp_path):
    code = f"""
import sys
sys.modules.update(nilearn=None, scipy=None, importlib_resources=None)
import tensorflow_datasets as tfds
import loupe_tf.datasets
builder = tfds.builder("mni_brain/64", data_dir={str(tmp_path)!r})
assert builder.info.features["image"].shape == (64, 64, 1)
try:
    builder.download_and_prepare()
except ImportError as error:
    assert 'pip install "loupe-tf[brain]"' in str(error)
else:
    raise AssertionError("Nothing was raised.")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_load_arrays(builder):
    folder = builder.data_dir.split("/mni_brain/")[0]
    name = f"mni_brain/{builder.builder_config.name}"
    images, volumes = load_arrays(name, "train[3:]", data_dir=folder)
    assert images.shape == (9, 33, 33, 1) and images.dtype == np.float32
    assert volumes.tolist() == list(
        np.repeat(["train_001_T2", "train_002_PD", "train_003_FLAIR"], 3)
    )
    _, slices = load_arrays(builder, "test", group_key="slice")
    assert slices.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "name, kwargs, match",
    [
        ("no_such_data_set", {}, "`name`.*name=no_such_data_set"),
        ("mni_brain/no_such_config", {}, "`name`.*no_such_config"),
        ("mni_brain/320", {}, "`name`.*prepared with.*mni_brain/320"),
        (None, {"image_key": "kspace"}, "`image_key`.*image_key='kspace'"),
        (None, {"group_key": "patient"}, "`group_key`.*group_key='patient'"),
        (None, {"image_key": "slice"}, r"train_000_T1 of .*\(H, W\)"),
        (None, {"split": "trian"}, "trian"),
        (None, {"split": "train[:0]"}, "no data"),
    ],
)
def test_load_arrays_errors(builder, tmp_path, name, kwargs, match):
    kwargs = {"split": "train", "data_dir": tmp_path, **kwargs}
    with pytest.raises(ValueError, match=match):
        load_arrays(name or builder, **kwargs)
