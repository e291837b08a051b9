import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets import load_splits, pipeline
from loupe_tf.datasets.prepared import find_data_set, open_builder
from loupe_tf.reading import BadFileError


@pytest.fixture
def prepared(tmp_path):
    features = {
        "image": tfds.features.Tensor(
            shape=(4, 5, 1), dtype=np.float32, encoding="bytes"
        ),
        "volume": tfds.features.Text(),
    }
    record = {"image": np.ones((4, 5, 1), "float32"), "volume": "a"}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="described",
        version="1.0.0",
        data_dir=tmp_path,
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: [(0, record)] for split in ("train", "validation", "test")
        },
    )
    return tmp_path / "described" / "1.0.0"


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("damage", ["cut", "zeros", "renamed"])
def test_damaged_descriptions_are_named(prepared, name, damage):
    path = prepared / name
    content = path.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "zeros": content[:20] + bytes(10) + content[30:],
        # Good JSON, of fields that TFDS does not know.
        "renamed": content.replace(b"fileFormat", b"fileFormbt").replace(
            b"pythonClassName", b"pythonClassNamm"
        ),
    }
    path.write_bytes(damaged[damage])
    assert path.read_bytes() != content
    data_dir = prepared.parents[1]
    for read in (
        lambda: load_splits("described", data_dir),
        lambda: pipeline("described", "train", data_dir=data_dir),
    ):
        with pytest.raises(BadFileError, match=str(path)):
            read()


def test_a_template_that_is_none_is_named(prepared):
    path = prepared / "dataset_info.json"
    info = json.loads(path.read_text())
    for split in info["splits"]:
        split["filepathTemplate"] = "{DATASET}-{SPLAT}"
    path.write_text(json.dumps(info))
    with pytest.raises(BadFileError, match=str(path)):
        load_splits("described", prepared.parents[1])


@pytest.mark.parametrize("name", ["scanz/", "fastmri_slices/knee_singlecoil"])
def test_what_is_neither_file_nor_prepared_is_named(tmp_path, name):
    match = f"`data`.*data={name}, data_dir=.*no such file, folder or prepared"
    with pytest.raises(ValueError, match=match):
        find_data_set(name, tmp_path)


def test_what_is_not_prepared_is_no_warning(tmp_path, caplog):
    """`train --demo` asks in its first run, when nothing is there."""
    builder = open_builder("mni_brain/64", tmp_path)
    assert not builder.data_path.exists()
    assert "Variant folder" not in caplog.text
