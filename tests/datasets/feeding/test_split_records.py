import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets import load_arrays
from loupe_tf.datasets.feeding.split_images import SplitImages
from loupe_tf.datasets.feeding.split_records import SplitRecords
from loupe_tf.reading import BadFileError

COUNT = 7


@pytest.fixture(params=["tfrecord", "array_record"])
def builder(request, tmp_path):
    return store(tmp_path, request.param)


def store(folder, file_format="tfrecord", bad=None):
    features = {
        "image": tfds.features.Tensor(
            shape=(4, 5, 1), dtype=np.float32, encoding="bytes"
        ),
        "volume": tfds.features.Text(),
    }
    records = [
        (i, {"image": np.full((4, 5, 1), i, "float32"), "volume": f"v{i}"})
        for i in range(COUNT)
    ]
    if bad is not None:
        records[bad][1]["image"][2, 3] = np.nan
    return tfds.dataset_builders.store_as_tfds_dataset(
        name="records",
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": records},
        file_format=file_format,
        download_config=tfds.download.DownloadConfig(num_shards=2),
        disable_shuffling=True,
    )


def last_file(builder):
    return sorted(builder.data_path.glob("*-of-00002"))[-1]


def test_any_order_and_any_part(builder):
    records = SplitRecords(builder, "train[1:6]", ["volume"])
    assert records.count == 5
    found = [record["volume"] for record in records.fetch([4, 0, 2])]
    assert found == [b"v5", b"v1", b"v3"]
    path, row = records.where(4)
    assert str(path) == str(last_file(builder)) and row == 5 - 4


def test_damage_is_named_or_does_no_harm(builder, rng):
    """Array_record files compare checksums by themselves."""
    path = last_file(builder)
    content = path.read_bytes()
    right, _ = load_arrays(builder, "train")
    named = 0
    # Most of an array_record file is padding.
    written = np.flatnonzero(np.frombuffer(content, "uint8"))
    for at in rng.choice(written, 24, replace=False).tolist():
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            images = SplitImages(builder, "train").fetch(range(COUNT))
        except BadFileError as error:
            assert path.name in str(error)
            with pytest.raises(BadFileError, match=path.name):
                load_arrays(builder, "train")
            named += 1
        else:
            np.testing.assert_array_equal(images, right)
    assert named > 5


def test_a_file_of_fewer_records_is_named(builder):
    path = builder.data_path / "dataset_info.json"
    info = json.loads(path.read_text())
    lengths = info["splits"][0]["shardLengths"]
    info["splits"][0]["shardLengths"] = [lengths[0], str(int(lengths[1]) + 1)]
    path.write_text(json.dumps(info))
    again = tfds.builder_from_directory(str(builder.data_path))
    with pytest.raises(BadFileError, match=f"{last_file(builder).name}.*4 rec"):
        load_arrays(again, "train")


def test_nan_in_a_good_record_is_named(tmp_path):
    builder = store(tmp_path, bad=5)
    with pytest.raises(BadFileError, match=r"00001-of-00002.*record 1, coun"):
        SplitImages(builder, "train").fetch([0, 5])
    with pytest.raises(ValueError, match="v5 of .*finite"):
        load_arrays(builder, "train")


def test_a_record_of_something_else_is_named(tmp_path):
    import tensorflow as tf

    builder = store(tmp_path)
    with tf.io.TFRecordWriter(str(last_file(builder))) as writer:
        for _ in range(3):
            writer.write(b"not an example")
    with pytest.raises(BadFileError, match="00001-of-00002.*records/1.0.0"):
        load_arrays(builder, "train")
