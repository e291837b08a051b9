import io
import json
import os
import pathlib
import re
import warnings

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from loupe_tf.datasets import MniBrainConfig, inspect, warn_of_data_crimes
from loupe_tf.datasets.building.readers import find_volumes, read_volume
from loupe_tf.datasets.inspecting.inspector import Inspector
from loupe_tf.datasets.mni_brain import simulate
from loupe_tf.datasets.resize import (
    center_crop_or_pad,
    crop_to_acquired,
    fft2c,
    ifft2c,
)


@pytest.fixture(scope="module")
def brain():
    """Four volumes of six slices, 96×96, each divided by its maximum."""
    templates = simulate.load_templates()
    volumes = [
        simulate.simulate_volume(templates, seed, contrast, 96, 6)
        for seed, contrast in enumerate(simulate.CONTRASTS)
    ]
    return np.concatenate([v / v.max() for v in volumes])


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    subjects = {"train": 3, "test": 1}
    builder = tfds.builder(
        "mni_brain",
        config=MniBrainConfig(64, slices=4, subjects=subjects),
        data_dir=tmp_path_factory.mktemp("data"),
    )
    builder.download_and_prepare()
    return builder


NAMES = np.repeat(["a", "b", "c", "d"], 6)
ALWAYS = {"hermitian"}


def zero_fill(images, size):
    return ifft2c(center_crop_or_pad(fft2c(images), size))


def found(inspection):
    return {f.name for f in inspection.findings if f.found}


def jpeg(images, quality):
    out = []
    for image in np.round(255 * images).astype("uint8"):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        out.append(np.asarray(Image.open(file)))
    return np.stack(out) / np.float32(255)


def test_nothing_but_hermitian_in_good_magnitude_images(brain):
    inspection = inspect(brain[..., None], volumes=NAMES)
    assert found(inspection) == ALWAYS
    assert inspection.extent == inspection.size == (96, 96)
    assert [v["name"] for v in inspection.volumes] == ["a", "b", "c", "d"]
    assert [v["slices"] for v in inspection.volumes] == [6] * 4
    assert "by construction" in str(inspection)


def test_hermitian_is_measured_in_complex_images(brain):
    grid = np.indices((96, 96)) / 96
    phase = np.exp(2j * np.sin(3 * grid[0] + 2 * grid[1]))
    # A constant phase does not hide that an image is real.
    real = inspect(brain * np.exp(1.3j))
    assert found(real) == {"hermitian"}
    scan = inspect(brain * phase)
    assert not found(scan)
    assert scan["hermitian"].numbers["imaginary_energy"] > 0.01
    pair = (brain * phase)[..., None].view("float64").reshape(-1, 96, 96, 2)
    assert inspect(pair).to_json() == scan.to_json()
    # Half of k-space measured: the other half does not follow from it.
    noise = np.random.default_rng(0).normal(size=(2, 4, 32, 32))
    assert not found(inspect(noise[0] + 1j * noise[1]))


@pytest.mark.parametrize("axis", [0, 1])
def test_zero_filled_border(brain, axis):
    size, acquired = [96, 96], [96, 96]
    size[axis], acquired[axis] = 128, 96
    images = np.abs(zero_fill(brain, size))
    inspection = inspect(images, volumes=NAMES)
    name = f"zero_filled_{'hw'[axis]}"
    assert found(inspection) == ALWAYS | {name}
    assert inspection.extent == tuple(acquired)
    finding = inspection[name]
    assert finding.numbers["share_of_nyquist"] == 0.75
    assert finding.numbers["volumes_with_border"] == 4
    assert "96 of 128 lines" in finding.value and "is 3.0 on" in finding.effect
    assert all(v["extent"] == acquired for v in inspection.volumes)
    cropped = crop_to_acquired(images, inspection.extent)
    assert found(inspect(cropped)) == ALWAYS


def test_volumes_that_differ_are_told(brain):
    half = np.abs(zero_fill(brain[:12], (160, 96)))
    less = np.abs(zero_fill(brain[12:, 8:-8], (160, 96)))
    inspection = inspect(np.concatenate([half, less]), volumes=NAMES)
    each = [v["extent"][0] for v in inspection.volumes]
    assert each == [96, 96, 80, 80]
    assert inspection.extent == (96, 96)  # Nothing acquired is cropped away.
    assert "from 0.50 to 0.60" in inspection["zero_filled_h"].value


def test_empty_corners(brain):
    images = np.abs(zero_fill(brain, (96, 96)))
    kspace = fft2c(images)
    kspace[:, np.hypot(*(np.indices((96, 96)) - 48)) > 48] = 0
    inspection = inspect(np.abs(ifft2c(kspace)))
    assert found(inspection) == ALWAYS | {"empty_corners"}
    share = inspection["empty_corners"].numbers["share"]
    assert share == pytest.approx(1 - np.pi / 4, abs=0.03)


@pytest.mark.parametrize("levels", [16, 256])
def test_quantisation(brain, levels):
    images = np.round(brain * (levels - 1)) / np.float32(levels - 1)
    finding = inspect(images, volumes=NAMES)["quantised"]
    assert finding.found and finding.numbers["volumes"] == 4
    expected = 10 * np.log10(12 * (levels - 1) ** 2)
    assert finding.numbers["psnr_of_rounding"] == pytest.approx(expected)
    twelve_bits = np.round(brain * 4095) / np.float32(4095)
    finding = inspect(twelve_bits, volumes=NAMES)["quantised"]
    assert not finding.found
    assert 256 < finding.numbers["fewest_levels"] < 4096
    # One of four volumes is enough.
    images[6:] = brain[6:]
    finding = inspect(images, volumes=NAMES)["quantised"]
    assert finding.found and finding.numbers["volumes"] == 1


def test_few_pixels_are_not_few_levels(rng):
    assert not inspect(rng.uniform(size=(1, 12, 12)))["quantised"].found


@pytest.mark.parametrize("quality", [50, 75, 85])
def test_jpeg(brain, quality):
    images = jpeg(brain, quality)
    assert found(inspect(images)) >= {"hermitian", "quantised", "jpeg"}
    # A grid that does not begin in the corner is found as well.
    assert inspect(images[:, 3:, 5:])["jpeg"].found
    assert not inspect(np.round(255 * brain) / 255)["jpeg"].found


def test_jpeg_is_not_looked_for_in_tiny_images(rng):
    finding = inspect(rng.uniform(size=(2, 31, 40)))["jpeg"]
    assert finding.verdict == "not looked at"


def test_patient_in_two_splits(brain):
    images = {"train": brain[:12], "test": brain[12:]}
    names = {"train": NAMES[:12], "test": NAMES[12:]}
    inspection = inspect(images, names, patients=names)
    assert found(inspection) == ALWAYS
    assert inspection["same_slice"].numbers["correlation"] < 0.8
    patients = {**names, "test": np.repeat(["b", "e"], 6)}
    inspection = inspect(images, names, patients=patients)
    assert found(inspection) == ALWAYS | {"same_patient"}
    assert inspection["same_patient"].numbers["patients"] == ["b"]
    assert "1 by name: b" in str(inspection)
    for patients in (None, {"train": NAMES[:12]}):
        finding = inspect(images, names, patients=patients)["same_patient"]
        assert finding.verdict == "not looked at"


@pytest.mark.parametrize("change", ["none", "noise", "crop", "scale"])
def test_same_slices_in_two_splits(brain, rng, change):
    again = brain[6:12].copy()
    if change == "noise":
        again += 0.02 * rng.normal(size=again.shape)
    elif change == "crop":
        again = np.abs(zero_fill(zero_fill(again, (72, 72)), (96, 96)))
    elif change == "scale":
        again *= 0.3
    inspection = inspect(
        {"train": brain[:12], "test": np.concatenate([brain[12:], again])},
        {"train": NAMES[:12], "test": [*NAMES[12:], *6 * ["x"]]},
    )
    finding = inspection["same_slice"]
    assert finding.found and finding.numbers["slices"] == 6
    assert finding.numbers["volumes"] == ["train b and test x"]


def test_max_slices(brain):
    inspection = inspect(brain, volumes=NAMES, max_slices=2)
    counted = [v["slices"] for v in inspection.volumes]
    assert counted == [6] * 4  # All are counted ...
    extents = [v["extent"] for v in inspection.volumes]
    assert extents == [[96, 96], None, None, [96, 96]]  # ... two looked at.
    images = {"train": brain, "test": brain[7:8]}
    assert inspect(images, max_slices=2)["same_slice"].numbers["slices"] == 1


def test_table_json_and_plot(brain, tmp_path):
    images = np.abs(zero_fill(brain, (128, 97)))
    inspection = inspect(images, volumes=NAMES, source="magnitude_image")
    text = str(inspection)
    assert text.startswith("24 images of 128 × 97; volumes: 4; source: magn")
    for finding in inspection.findings:
        assert finding.title in text
        assert bool(finding.effect) == finding.found
    stored = json.loads(json.dumps(inspection.to_json()))
    assert stored["extent"] == [96, 97] and len(stored["volumes"]) == 4
    assert len(inspection.sentences) == 2
    figure = inspection.plot()
    titles = [ax.get_title() for ax in figure.axes]
    assert "Along H: 96 of 128 lines (0.75)" in titles
    assert "Along W: 97 of 97 lines (1.00)" in titles
    labels = {ax.get_xlabel() for ax in figure.axes}
    for axis in "HW":
        assert f"k along {axis}, cycles per field of view" in labels
    figure.savefig(tmp_path / "spectrum.png")


@pytest.mark.parametrize(
    "axes, expected",
    [
        ("", "along H, where fewer lines are acquired; no header states it"),
        ("H", "along H (header): --lines rows; fewer lines .* H, which fits"),
        ("W", "along W (header): --lines columns; .* H, which is unusual"),
        ("HW", "along H in 1, W in 1 volumes (header)"),
    ],
)
def test_axis_of_phase_encoding(brain, axes, expected):
    images = np.abs(zero_fill(brain[:12], (128, 96)))
    inspector = Inspector()
    for i, image in enumerate(images):
        axis = axes[i // 6 % len(axes)] if axes else ""
        inspector.add(image, volume=NAMES[i], phase_axis=axis)
    inspection = inspector.result()
    pattern = expected.replace("(", r"\(").replace(")", r"\)")
    line = str(inspection).splitlines()[1]
    assert re.fullmatch(f"phase encoding (perhaps )?{pattern}", line)
    assert sum(inspection.to_json()["phase_axes"].values()) == 2 * bool(axes)


def test_no_line_on_phase_encoding_if_nothing_is_known(brain):
    assert "phase encoding" not in str(inspect(brain[:2]))


def test_warning_comes_once_with_all_sentences(brain):
    images = np.abs(zero_fill(brain, (128, 96)))
    with pytest.warns(UserWarning) as record:
        sentences = warn_of_data_crimes(images)
    assert len(record) == 1 and len(sentences) == 2
    assert all(s in str(record[0].message) for s in sentences)
    assert "crop_to_acquired=True" in sentences[1]
    assert record[0].filename == __file__
    grid = np.indices((96, 96)) / 96
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert warn_of_data_crimes(brain * np.exp(3j * grid[0] ** 2)) == []


def test_data_set(builder):
    inspection = inspect(builder)
    assert found(inspection) == ALWAYS
    splits = [v["split"] for v in inspection.volumes]
    assert sorted(splits) == ["test", "train", "train", "train"]
    assert "volumes: 3 train, 1 test" in str(inspection)
    assert inspection["same_patient"].verdict == "not found"
    folder = builder.data_dir.split("/mni_brain/")[0]
    name = f"mni_brain/{builder.builder_config.name}"
    again = inspect(name, data_dir=folder)
    assert again.to_json() == inspection.to_json()


def test_data_set_of_array_records(tmp_path):
    features = {
        "image": tfds.features.Tensor(
            shape=(40, 40, 1), dtype=np.float32, encoding="bytes"
        ),
        "volume": tfds.features.Text(),
        "patient": tfds.features.Text(),
        "source": tfds.features.Text(),
    }
    rng = np.random.default_rng(0)
    example = {
        "image": rng.uniform(size=(40, 40, 1)).astype("float32"),
        "volume": "v",
        "patient": "p",
        "source": "magnitude_image",
    }
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="some_images",
        version="1.0.0",
        data_dir=tmp_path,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": [(0, example)], "test": [(0, example)]},
        file_format="array_record",
    )
    inspection = inspect(builder)
    assert found(inspection) == ALWAYS | {"same_patient", "same_slice"}
    assert inspection.sources == ["magnitude_image"]


@pytest.mark.parametrize(
    "images, kwargs, match",
    [
        (np.ones((4, 8)), {}, r"`images`.*\(4, 8\)"),
        (np.ones((0, 8, 8)), {}, "`images`"),
        (np.ones((2, 8, 8, 3)), {}, "`images`"),
        (np.array([[["a"]]]), {}, "`images`"),
        (np.full((2, 8, 8), np.nan), {}, "`images`.*128"),
        (np.zeros((2, 8, 8)), {}, "not zero"),
        ({}, {}, "`images`.*empty"),
        (np.ones((2, 8, 8)), {"volumes": ["a"]}, r"`volumes`.*\(1,\)"),
        (np.ones((2, 8, 8)), {"patients": ["a"]}, r"`patients`.*\(1,\)"),
        ({"a": np.ones((2, 8, 8)), "b": np.ones((2, 8, 9))}, {}, "one size"),
        ("no_such_data_set", {}, "`images`.*no_such_data_set"),
    ],
)
def test_errors(images, kwargs, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        inspect(images, data_dir=tmp_path, **kwargs)


def test_data_set_without_images(tmp_path):
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="no_images",
        version="1.0.0",
        data_dir=tmp_path,
        features=tfds.features.FeaturesDict({"volume": tfds.features.Text()}),
        split_datasets={"train": [(0, {"volume": "v"})]},
    )
    with pytest.raises(ValueError, match="`image`.*volume"):
        inspect(builder)


@pytest.mark.parametrize(
    "include, size, share",
    [
        ("*FLAIR*", (320, 320), 0.68),
        ("*T1W*", (256, 256), 0.78),
        ("*T2W*", (348, 384), 0.73),
    ],
)
def test_open_ms(include, size, share):
    folder = os.environ.get("LOUPE_TF_OPEN_MS")
    if not folder:
        pytest.skip("LOUPE_TF_OPEN_MS does not name the folder of open_ms")
    images, names = [], []
    for name in find_volumes(folder, include):
        volume = read_volume(pathlib.Path(folder) / name).images
        if volume.shape[1:] == size:
            images.append(volume / volume.max())
            names += [name] * len(volume)
    inspection = inspect(np.concatenate(images), volumes=names)
    assert {"hermitian", "zero_filled_h"} <= found(inspection)
    assert not {"zero_filled_w", "quantised", "jpeg"} & found(inspection)
    lines = share * size[0]
    assert inspection.extent[0] == pytest.approx(lines, abs=0.02 * size[0])
    for volume in inspection.volumes:
        extent = volume["extent"]
        assert extent[1] == size[1]
        assert extent[0] == pytest.approx(lines, abs=0.035 * size[0])


@pytest.mark.parametrize("shape", [(32, 32, 1), (0, 8, 8), (1, 8, 8, 3)])
def test_what_is_no_stack_of_images(shape):
    with pytest.raises(ValueError, match="a single image has n = 1"):
        inspect(np.ones(shape))


def test_a_border_seen_in_no_volume_alone_is_said_so():
    """The mean over volumes shows what noise hides in each."""
    inspector = Inspector()
    inspector._size = (64, 64)
    volumes = [{"extent": [64, 64]}] * 7
    finding = inspector._border(0, (48, 64), volumes)
    assert finding.found and "0 of 7" not in finding.value
    assert "seen only in the mean of 7 volumes" in finding.value
