import gzip
import os
import pathlib
import tempfile

import nibabel
import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets import (
    BadVolumeError,
    MriVolumesConfig,
    write_fastmri_volume,
)
from loupe_tf.datasets.mri_volumes import mri_volumes_dataset_builder
from loupe_tf.datasets.resize import center_crop_or_pad
from loupe_tf.numpy_fourier import fft2c, ifft2c

SPLIT = {"train": ["p1", "p2"], "test": ["p3"]}
PATTERN = r"(p\d)"


def write(path, array):
    """Slices first, as NIfTI: last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.moveaxis(np.asarray(array), 0, 2)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1, 1, 4, 1])), path)


def write_folder(folder):
    """Four volumes of three patients, and one of another size."""
    rng = np.random.default_rng(0)
    arrays = {
        "p1/a_FLAIR": rng.integers(1, 999, size=(3, 10, 12)),
        "p1/b_FLAIR": rng.integers(1, 99, size=(2, 10, 12)),
        "p2/a_FLAIR": rng.integers(1, 999, size=(2, 10, 12)),
        "p3/a_FLAIR": rng.integers(1, 999, size=(2, 10, 12)),
        "p3/a_T1": rng.integers(1, 999, size=(2, 9, 12)),
    }
    arrays["p3/a_FLAIR"][0, 0, 0] = 5000  # The maximum, in a corner.
    for name, array in arrays.items():
        write(folder / f"{name}.nii.gz", array.astype("uint16"))
    return arrays


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path / "scans")
    return tmp_path / "scans"


def config(folder, **kwargs):
    options = {"split": SPLIT, "patient": PATTERN, "include": "*FLAIR*"}
    return MriVolumesConfig(folder, **{**options, **kwargs})


def make(config, tmp_path, **kwargs):
    return mri_volumes_dataset_builder.Builder(
        config=config, data_dir=tmp_path / "data", **kwargs
    )


def build(config, tmp_path, **kwargs):
    builder = make(config, tmp_path, **kwargs)
    builder.download_and_prepare()
    return builder


def records(builder, split):
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    dataset = builder.as_dataset(split=split, read_config=in_order)
    return list(tfds.as_numpy(dataset))


class MriVolumesTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = mri_volumes_dataset_builder.Builder
    SPLITS = {"train": 7, "test": 2}

    @classmethod
    def setUpClass(cls):
        scans = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scans.cleanup)
        cls.EXAMPLE_DIR = scans.name
        write_folder(pathlib.Path(scans.name))
        options = {"split": SPLIT, "patient": PATTERN}
        cls.BUILDER_CONFIG_NAMES_TO_TEST = [
            MriVolumesConfig(scans.name, include="*FLAIR*", **options),
        ]
        super().setUpClass()

    def _make_builder(self, config=None):
        # There is no configuration by default.
        return super()._make_builder(
            config or self.BUILDER_CONFIG_NAMES_TO_TEST[0]
        )


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_records(tmp_path, file_format):
    arrays = write_folder(tmp_path / "scans")
    builder = build(
        config(tmp_path / "scans"), tmp_path, file_format=file_format
    )
    names = {
        "train": ["p1/a_FLAIR", "p1/b_FLAIR", "p2/a_FLAIR"],
        "test": ["p3/a_FLAIR"],
    }
    assert set(builder.info.splits) == set(names)
    for split, each in names.items():
        if file_format == "tfrecord":
            found = iter(records(builder, split))
        else:
            found = iter(builder.as_data_source(split=split))
        for name in each:
            array = arrays[name]
            for i, image in enumerate(array):
                record = next(found)
                scaled = (image / np.float32(array.max()))[..., None]
                np.testing.assert_allclose(record["image"], scaled, rtol=1e-6)
                assert record["image"].dtype == np.float32
                assert record["volume"] == name.encode()
                assert record["patient"] == name[:2].encode()
                assert record["slice"] == i
                assert record["max"] == array.max()
                norm = np.linalg.norm(array.astype(float))
                assert record["norm"] == pytest.approx(norm)
                assert record["source"] == b"magnitude_image"
                assert record["normalized_by"] == b"volume_maximum"
                assert record["cropped_by"] == b"none"
                assert record["combined_by"] == b"unknown"
        assert next(found, None) is None
    assert builder.info.features["image"].shape == (10, 12, 1)


@pytest.mark.parametrize(
    "size, cropped_by",
    [
        ((8, 10), "center_crop"),
        (16, "center_pad"),
        ((8, 16), "center_crop+center_pad"),
        ((10, 12), "none"),
    ],
)
def test_size(folder, tmp_path, size, cropped_by):
    builder = build(config(folder, size=size), tmp_path)
    array = nibabel.load(folder / "p3/a_FLAIR.nii.gz").get_fdata()
    height, width = (size, size) if isinstance(size, int) else size
    array = center_crop_or_pad(np.moveaxis(array, 2, 0), (height, width))
    for record, image in zip(records(builder, "test"), array, strict=True):
        assert record["cropped_by"] == cropped_by.encode()
        # The maximum is that of what is left.
        found = record["image"][..., 0] * array.max()
        np.testing.assert_allclose(found, image, rtol=1e-5)
        assert record["max"] == array.max()


def test_size_brings_mixed_sizes_together(folder, tmp_path):
    builder = build(config(folder, include="*", size=(9, 12)), tmp_path)
    found = records(builder, "test")
    cropped_by = [r["cropped_by"] for r in found]
    assert cropped_by == [b"center_crop", b"center_crop", b"none", b"none"]


def zero_filled(rng, count, acquired, size):
    noise = rng.normal(size=(count, *acquired)) + 3
    images = ifft2c(center_crop_or_pad(fft2c(noise), size))
    return (1000 * np.abs(images)).astype("float32")


@pytest.mark.parametrize("given", [True, (32, 48)])
def test_crop_to_acquired(tmp_path, rng, given):
    for patient in ("p1", "p2", "p3"):
        array = zero_filled(rng, 4, (32, 48), (48, 48))
        write(tmp_path / f"scans/{patient}.nii", array)
    settings = config(
        tmp_path / "scans", include="*", crop_to_acquired=given, size=(32, 40)
    )
    builder = build(settings, tmp_path)
    assert builder.info.features["image"].shape == (32, 40, 1)
    found = records(builder, "test")
    assert found[0]["cropped_by"] == b"acquired_extent+center_crop"
    kspace = fft2c(array)[:, 8:-8]
    expected = np.abs(ifft2c(kspace))[:, :, 4:-4]
    expected = expected / expected.max()
    for record, image in zip(found, expected, strict=True):
        np.testing.assert_allclose(record["image"][..., 0], image, rtol=1e-4)


def test_crop_to_acquired_where_all_was(folder, tmp_path):
    builder = build(config(folder, crop_to_acquired=True), tmp_path)
    assert records(builder, "test")[0]["cropped_by"] == b"none"


def test_fastmri_and_numpy(tmp_path, rng):
    scans = tmp_path / "scans"
    scans.mkdir()
    for i in range(2):
        write_fastmri_volume(
            scans / f"file{i}.h5",
            slices=2,
            size=(24, 20),
            recon_size=(16, 16),
            patient_id=f"patient {i}",
        )
    np.save(scans / "other.npy", rng.uniform(size=(2, 16, 16)))
    settings = MriVolumesConfig(
        scans,
        split={"train": ["patient 0", "other.npy"], "test": ["patient 1"]},
    )
    builder = build(settings, tmp_path)
    train = records(builder, "train")
    patients = [r["patient"].decode() for r in train]
    assert patients == ["patient 0", "patient 0", "", ""]
    assert train[0]["source"] == b"simulated" and train[0]["acquisition"]
    assert train[0]["combined_by"] == b"emulated_singlecoil"
    assert train[2]["source"] == b"magnitude_image"


def test_csv(folder, tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("volume,split\np1/a_FLAIR,train\np3/a_FLAIR,validation\n")
    builder = build(config(folder, split=path), tmp_path)
    counts = {s: i.num_examples for s, i in builder.info.splits.items()}
    assert counts == {"train": 3, "validation": 2}


def test_a_truncated_and_a_non_finite_volume(folder, tmp_path):
    # The header of one is still whole, that of the other not.
    content = gzip.decompress((folder / "p1/a_FLAIR.nii.gz").read_bytes())
    (folder / "p1/a_FLAIR.nii.gz").unlink()
    (folder / "p1/a_FLAIR.nii").write_bytes(content[:-200])
    (folder / "p1/c_FLAIR.nii").write_bytes(content[:40])
    bad = np.full((2, 10, 12), np.nan, "float32")
    write(folder / "p1/d_FLAIR.nii", bad)
    with pytest.raises(BadVolumeError, match="p1/c_FLAIR.*Expected"):
        build(config(folder), tmp_path)
    (folder / "p1/c_FLAIR.nii").unlink()
    with pytest.raises(BadVolumeError, match="p1/a_FLAIR.*Expected"):
        build(config(folder), tmp_path)
    assert not make(config(folder), tmp_path).is_prepared()
    (folder / "p1/c_FLAIR.nii").write_bytes(content[:40])
    builder = build(config(folder), tmp_path, on_bad_volume="skip")
    counts = {s: i.num_examples for s, i in builder.info.splits.items()}
    assert counts == {"train": 4, "test": 2}
    report = (builder.data_path / "bad_volumes.txt").read_text()
    for name in ("a_FLAIR.nii", "c_FLAIR.nii", "d_FLAIR.nii"):
        assert f"p1/{name}" in report
    assert "240 that are not" in report


def test_names_of_configurations(folder):
    variants = [
        config(folder),
        config(folder.parent),
        config(folder, split=(0.5, 0.5, 0)),
        config(folder, split=(0.5, 0.5, 0), seed=1),
        config(folder, patient=r"(p\d)/"),
        config(folder, include="*"),
        config(folder, exclude="*T1*"),
        config(folder, size=(10, 12)),
        config(folder, crop_to_acquired=True),
        config(folder, crop_to_acquired=(8, 8)),
        config(folder, slice_axis=1),
    ]
    names = {variant.name for variant in variants}
    assert len(names) == len(variants)
    assert config(folder).name == variants[0].name
    assert variants[0].name.startswith("scans_")
    assert config(folder, name="flair").name == "flair"


def test_one_name_is_for_one_set_of_settings(folder, tmp_path):
    build(config(folder, name="flair"), tmp_path)
    again = build(config(folder, name="flair"), tmp_path)
    assert again.info.features["image"].shape == (10, 12, 1)
    other = config(folder, name="flair", split={"train": ["p1"]})
    with pytest.raises(ValueError, match="flair.*p1', 'p2.*Received"):
        build(other, tmp_path)
    overwrite = tfds.download.DownloadConfig(
        download_mode=tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
    )
    builder = make(other, tmp_path)
    builder.download_and_prepare(download_config=overwrite)
    assert set(builder.info.splits) == {"train"}
    build(other, tmp_path)


def test_what_is_prepared_needs_no_folder(folder, tmp_path):
    settings = config(folder, name="flair")
    build(settings, tmp_path)
    folder.rename(tmp_path / "elsewhere")
    same = config(folder, name="flair")
    assert len(records(build(same, tmp_path), "test")) == 2
    by_name = tfds.load(
        "mri_volumes/flair", split="test", data_dir=tmp_path / "data"
    )
    assert len(by_name) == 2


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"include": "*"}, r"one size.*9×12 \(1 volumes.*10×12 \(4 volumes"),
        (
            {"include": "*", "size": 9, "crop_to_acquired": True},
            "one size.*without `crop_to_acquired`",
        ),
        ({"crop_to_acquired": (11, 4)}, r"`crop_to_acquired`.*\(11, 4\)"),
        ({"include": "*T2*"}, r"`folder`.*volumes.*T2.*none in"),
        ({"patient": "(q)"}, "`patient`.*does not match p1/a_FLAIR"),
        ({"split": {"train": ["p9"]}}, "`split`.*p9"),
        ({"split": {"train": ["p1"], "test": ["p1"]}}, "`split`.*p1"),
    ],
)
def test_invalid_folders(folder, tmp_path, kwargs, match):
    with pytest.raises(ValueError, match=match):
        make(config(folder, **kwargs), tmp_path)


def test_other_invalid_folders(folder, tmp_path):
    write(folder / "p1/a_FLAIR.nii", np.ones((2, 10, 12)))
    with pytest.raises(
        ValueError, match="p1/a_FLAIR.nii and p1/a_FLAIR.nii.gz"
    ):
        make(config(folder), tmp_path)
    with pytest.raises(ValueError, match="`folder`.*existing"):
        make(config(tmp_path / "none"), tmp_path)
    with pytest.raises(ValueError, match="MriVolumesConfig"):
        make(None, tmp_path)


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"split": (0.5, 0.5)}, r"`split`.*\(0.5, 0.5\)"),
        ({"split": (0.5, 0.5, 0.5)}, "`split`"),
        ({"split": (1.5, -0.5, 0)}, "`split`"),
        ({"split": 3}, "`split`"),
        ({"split": {"val": ["p1"]}}, "`split`.*val"),
        ({"split": {}}, "`split`"),
        ({"split": "none.csv"}, "`split`.*none.csv"),
        ({"patient": "p"}, "`patient`.*one group"),
        ({"patient": "("}, "`patient`"),
        ({"size": (8, 0)}, r"`size`.*\(8, 0\)"),
        ({"size": 8.0}, "`size`"),
        ({"size": (8, 8, 8)}, "`size`"),
        ({"crop_to_acquired": 0.7}, "`crop_to_acquired`.*0.7"),
        ({"slice_axis": 3}, "`slice_axis`.*3"),
        ({"seed": -1}, "`seed`"),
        ({"name": "a/b"}, "`name`.*a/b"),
    ],
)
def test_invalid_configurations(tmp_path, kwargs, match):
    with pytest.raises(ValueError, match=match):
        MriVolumesConfig(tmp_path, **kwargs)


@pytest.mark.parametrize("crop", [False, True])
def test_open_ms(tmp_path, crop):
    folder = os.environ.get("LOUPE_TF_OPEN_MS")
    if not folder:
        pytest.skip("LOUPE_TF_OPEN_MS does not name the folder of open_ms")
    settings = MriVolumesConfig(
        folder,
        include="*FLAIR*",
        # The only one of another matrix.
        exclude="patient19/study1*",
        patient=r"(patient\d+)",
        split={
            "train": ["patient01", "patient12"],
            "validation": ["patient04"],
            "test": ["patient19"],
        },
        crop_to_acquired=crop,
    )
    builder = build(settings, tmp_path)
    counts = {s: i.num_examples for s, i in builder.info.splits.items()}
    assert counts == {"train": 178, "validation": 48, "test": 48}
    height, width, _ = builder.info.features["image"].shape
    assert width == 320
    assert height == 320 if not crop else 210 <= height <= 226
