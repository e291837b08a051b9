import gzip
import os
import pathlib
import tempfile

import nibabel
import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf import masks, models
from loupe_tf.datasets import (
    BadVolumeError,
    MriVolumesConfig,
    inspect,
    load_splits,
    pipeline,
    write_fastmri_volume,
)
from loupe_tf.datasets.mri_volumes import mri_volumes_dataset_builder
from loupe_tf.datasets.resize import center_crop_or_pad, resize_kspace
from loupe_tf.formats import load_mask, save_mask
from loupe_tf.numpy_fourier import fft2c, ifft2c

SPLIT = {"train": ["p1", "p2"], "test": ["p3"]}
PATTERN = r"(p\d)"


def write(path, array, spacing=(4, 1, 1)):
    """Slices first, as NIfTI: last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.moveaxis(np.asarray(array), 0, 2)
    affine = np.diag([*spacing[1:], spacing[0], 1])
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


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
                np.testing.assert_array_equal(record["voxel_size"], (4, 1, 1))
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


def write_mixed(folder):
    """A disc 12 mm wide, 6 mm right of the centre, in three matrices."""
    for patient, size, pixel in (
        ("p1", (40, 40), 0.75),
        ("p2", (36, 48), 0.6),
        ("p3", (32, 32), 0.95),
    ):
        y, x = (pixel * (np.arange(n) - n // 2) for n in size)
        disc = np.hypot.outer(y, x - 6) < 6
        image = np.where(disc, 900, 20).astype("uint16")
        write(folder / f"{patient}/a.nii", [image, image], (3, pixel, pixel))
    return folder


def test_mixed_matrices_and_voxel_sizes(tmp_path):
    folder = write_mixed(tmp_path / "scans")
    settings = config(folder, include="*", field_of_view=True)
    builder = build(settings, tmp_path)
    # The smallest field of view, and the coarsest voxels, of all.
    assert builder.info.features["image"].shape == (22, 30, 1)
    done = builder.info.metadata["volumes"]
    assert done["p2/a.nii"] == {
        "size_in_file": [36, 48],
        "voxel_size_in_file": [3, 0.6, 0.6],
        "steps": [["image", [36, 48]], ["kspace", [22, 30]]],
        "size": [22, 30],
        "voxel_size": [3, 0.98182, 0.96],
    }
    cropped_by = {
        "p1": b"center_crop+kspace_crop",
        "p2": b"kspace_crop",
        "p3": b"center_crop+kspace_crop",
    }
    every = records(builder, "train") + records(builder, "test")
    assert len(every) == 6
    for record in every:
        patient = record["patient"].decode()
        assert record["cropped_by"] == cropped_by[patient]
        after = done[f"{patient}/a.nii"]["voxel_size"]
        np.testing.assert_allclose(record["voxel_size"], after, rtol=1e-4)
        # Half a pixel of the file at most.
        view = record["voxel_size"][1:] * (22, 30)
        np.testing.assert_allclose(view, (21.6, 28.8), atol=0.95 / 2)
        disc = record["image"][..., 0] > 0.5
        y, x = np.argwhere(disc).mean(axis=0) - (11, 15)
        _, dy, dx = record["voxel_size"]
        assert abs(y * dy) < 0.4 and abs(x * dx - 6) < 0.4
        assert disc.sum() * dy * dx == pytest.approx(np.pi * 36, rel=0.1)
    # By name too, for programs that come later.
    by_name = tfds.builder(
        "mri_volumes/" + settings.name, data_dir=tmp_path / "data"
    )
    assert by_name.info.metadata["volumes"] == done


def test_the_field_of_view_reaches_the_scanner(tmp_path):
    """From files of mixed voxel sizes to a protocol, nothing made up."""
    pytest.importorskip("pypulseq")
    folder = write_mixed(tmp_path / "scans")
    split = {"train": ["p1"], "validation": ["p2"], "test": ["p3"]}
    settings = config(
        folder, include="*", split=split, field_of_view=True, name="mixed"
    )
    build(settings, tmp_path)
    data, _ = load_splits("mri_volumes/mixed", tmp_path / "data")
    for part in data.values():
        assert part.images.shape == (2, 22, 30, 1)
        assert part.field_of_view == pytest.approx((21.6, 28.8), abs=0.48)
    view = data["train"].field_of_view
    model = models.loupe_model(
        (22, 30, 1),
        acceleration=3,
        lines="columns",
        reconstructor="zero_filled",
        field_of_view=view,
    )
    mask = masks.from_model(model)
    for name in ("mask.npz", "mask.seq"):
        save_mask(mask, tmp_path / name)
        found = load_mask(tmp_path / name)
        assert found.field_of_view == pytest.approx(view)
        expected = data["train"].voxel_size[1:]
        assert found.voxel_size == pytest.approx(expected, rel=1e-4)


def test_the_voxel_size_follows_each_step(tmp_path, rng):
    for patient in ("p1", "p2", "p3"):
        array = zero_filled(rng, 4, (32, 48), (48, 48))
        write(tmp_path / f"scans/{patient}.nii", array, (4, 0.5, 0.5))
    options = {"include": "*", "crop_to_acquired": True}
    builder = build(config(tmp_path / "scans", **options), tmp_path)
    for record in records(builder, "test"):
        np.testing.assert_allclose(record["voxel_size"], (4, 0.75, 0.5))
    # With a field of view, what was acquired bounds the matrix.
    options["field_of_view"] = 18
    builder = build(config(tmp_path / "scans", **options), tmp_path)
    assert builder.info.features["image"].shape == (24, 36, 1)
    with pytest.raises(ValueError, match=r"`size`.*24×36 lines.*p1.nii"):
        build(config(tmp_path / "scans", size=30, **options), tmp_path)
    options["zero_fill"] = "kspace"
    builder = build(config(tmp_path / "scans", size=30, **options), tmp_path)
    assert builder.info.features["image"].shape == (30, 30, 1)


def test_mixed_voxel_sizes_are_not_cropped_alike(tmp_path):
    folder = write_mixed(tmp_path / "scans")
    with pytest.raises(
        ValueError,
        match=r"`size`.*`field_of_view=True` \(--field-of-view\).*"
        r"32×32 of 0.95×0.95 mm \(1 volumes.*p3/a.nii\); 36×48 of 0.6",
    ):
        make(config(folder, include="*", size=30), tmp_path)
    with pytest.warns(UserWarning, match="mixed.*field_of_view"):
        make(config(folder, include="*", size=48), tmp_path)
    with pytest.raises(ValueError, match="one size.*`field_of_view`"):
        make(config(folder, include="*"), tmp_path)


@pytest.mark.parametrize("option", ["size", "field_of_view"])
@pytest.mark.parametrize("length, cut", [(24, False), (12, True)])
def test_a_crop_that_cuts_off_the_object_says_so(
    tmp_path, recwarn, option, length, cut
):
    disc = np.hypot.outer(np.arange(32) - 16, np.arange(32) - 16) < 8
    image = np.where(disc, 900, 20).astype("uint16")
    write(tmp_path / "scans/p1/a.nii", [image])
    split = {"train": ["p1"]}
    settings = config(
        tmp_path / "scans", include="*", split=split, **{option: length}
    )
    build(settings, tmp_path)
    said = [str(w.message) for w in recwarn if "cuts off" in str(w.message)]
    assert bool(said) == cut
    if cut:
        assert "p1/a.nii cuts off 2" in said[0]


def test_a_field_of_view_needs_voxel_sizes(tmp_path):
    folder = write_mixed(tmp_path / "scans")
    np.save(folder / "p1/b.npy", np.ones((2, 40, 40)))
    settings = config(folder, include="*", field_of_view=20)
    with pytest.raises(BadVolumeError, match="p1/b.npy.*a voxel size"):
        build(settings, tmp_path)
    builder = build(settings, tmp_path, on_bad_volume="skip")
    assert len(records(builder, "train")) == 4


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
    np.testing.assert_allclose(train[0]["voxel_size"], (3, 0.4375, 0.4375))
    assert not train[2]["voxel_size"].any()
    assert train[2]["source"] == b"magnitude_image"


def write_complex(folder, rng):
    """Complex volumes of three patients, a disc with a smooth phase."""
    arrays = {}
    y, x = np.mgrid[-1:1:40j, -1:1:48j]
    for name in ("p1/a", "p2/a", "p3/a"):
        a, b, c = rng.normal(size=3)
        image = (np.hypot(y, x) < 0.7) * np.exp(1j * (a + b * x + c * x * y))
        noise = rng.normal(size=(2, *image.shape, 2)).view("complex128")
        arrays[name] = (9 * image + 0.1 * noise[..., 0]).astype("complex64")
        write(folder / f"{name}.nii.gz", arrays[name], (4, 1, 1.5))
    return arrays


@pytest.mark.parametrize("steps", ["none", "size", "field_of_view"])
def test_complex_images_keep_their_phase(tmp_path, rng, steps):
    array = write_complex(tmp_path / "scans", rng)["p3/a"]
    options = {
        "none": {},
        "size": {"size": (36, 44)},
        "field_of_view": {"field_of_view": (36, 66), "size": (24, 32)},
    }[steps]
    settings = config(
        tmp_path / "scans", include="*", complex_images=True, **options
    )
    builder = build(settings, tmp_path)
    if steps != "none":
        array = center_crop_or_pad(array, (36, 44))
    if steps == "field_of_view":
        # The steps act on the complex images, not on their magnitudes.
        of_magnitudes = resize_kspace(np.abs(array), (24, 32))
        array = resize_kspace(array, (24, 32))
        assert np.abs(np.abs(array) - of_magnitudes).max() > 0.1
    assert builder.info.features["image"].shape == (*array.shape[1:], 2)
    maximum = np.abs(array).max()
    for record, image in zip(records(builder, "test"), array, strict=True):
        assert record["image"].dtype == np.float32
        found = record["image"] @ np.array([1, 1j]) * maximum
        np.testing.assert_allclose(found, image, atol=1e-5 * maximum)
        assert record["max"] == pytest.approx(maximum)
        assert record["norm"] == pytest.approx(np.linalg.norm(array))
        assert record["source"] == b"complex_image"
    batch = next(iter(pipeline(builder, "test", 2, shuffle=False)))[0]
    assert batch.shape == (2, *array.shape[1:], 2)


def test_complex_images_are_loaded_and_inspected(tmp_path, rng):
    write_complex(tmp_path / "scans", rng)
    split = {"train": ["p1"], "validation": ["p2"], "test": ["p3"]}
    settings = config(
        tmp_path / "scans",
        include="*",
        split=split,
        complex_images=True,
        name="mine",
    )
    builder = build(settings, tmp_path)
    assert inspect(builder)["hermitian"].found is False
    place = {"data": "mri_volumes/mine", "data_dir": tmp_path / "data"}
    splits, source = load_splits(**place, complex_images=True)
    assert "built with complex_images=True" in source
    assert splits["test"].images.shape == (2, 40, 48, 2)
    assert splits["test"].patients.tolist() == ["p3", "p3"]
    magnitudes = np.hypot(*np.moveaxis(splits["test"].images, -1, 0))
    assert magnitudes.max() == pytest.approx(1)
    with pytest.raises(ValueError, match="magnitude images.*are complex"):
        load_splits(**place)


def test_volumes_without_a_phase(tmp_path, rng):
    folder = tmp_path / "scans"
    write_complex(folder, rng)
    write(folder / "p1/b.nii.gz", np.ones((2, 40, 48), "uint16"))
    settings = {"include": "*", "complex_images": True}
    with pytest.raises(BadVolumeError, match="p1/b.nii.gz.*complex values"):
        build(config(folder, **settings), tmp_path)
    builder = build(config(folder, **settings), tmp_path, on_bad_volume="skip")
    assert builder.info.splits["train"].num_examples == 4


def test_a_dropped_phase_is_told_once(tmp_path, rng, recwarn):
    write_complex(tmp_path / "scans", rng)
    settings = config(tmp_path / "scans", include="*", name="mine")
    builder = build(settings, tmp_path)
    said = [str(w.message) for w in recwarn if "phase" in str(w.message)]
    assert len(said) == 1
    assert said[0].startswith("3 volumes have complex images (such as p1/a.nii")
    assert records(builder, "test")[0]["source"] == b"magnitude_of_complex"
    # Older data sets do not have this setting, and are the same.
    assert "complex_images" not in builder.info.metadata["settings"]
    other = config(
        tmp_path / "scans", include="*", name="mine", complex_images=True
    )
    with pytest.raises(ValueError, match="Received: complex_images=True"):
        build(other, tmp_path)
    overwrite = tfds.download.DownloadConfig(
        download_mode=tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
    )
    with pytest.raises(ValueError, match=r"\(40, 48, 1\); delete it first"):
        make(other, tmp_path).download_and_prepare(download_config=overwrite)


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
        config(folder, field_of_view=True),
        config(folder, field_of_view=10),
        config(folder, field_of_view=10, zero_fill="image"),
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
        ({"field_of_view": (8, 0)}, r"`field_of_view`.*\(8, 0\)"),
        ({"field_of_view": False}, "`field_of_view`.*False"),
        ({"field_of_view": "big"}, "`field_of_view`.*'big'"),
        ({"zero_fill": "image"}, "`zero_fill`.*with a `field_of_view`"),
        ({"zero_fill": "all", "field_of_view": 9}, "`zero_fill`.*'all'"),
        (
            {"field_of_view": True, "crop_to_acquired": (8, 8)},
            "`crop_to_acquired`.*with `field_of_view`",
        ),
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
