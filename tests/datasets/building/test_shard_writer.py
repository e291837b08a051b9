import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets.building import shard_writer


def test_records_are_serialized_as_tfds_does():
    features = tfds.features.FeaturesDict(
        {
            "array": tfds.features.Tensor(
                shape=(None, None), dtype=np.complex64, encoding="bytes"
            ),
            "fixed": tfds.features.Tensor(
                shape=(2,), dtype=np.float32, encoding="bytes"
            ),
            "large": tfds.features.Tensor(
                shape=(5000,), dtype=np.float32, encoding="bytes"
            ),
            "text": tfds.features.Text(),
            "size": tfds.features.Tensor(shape=(3,), dtype=np.int32),
            "flag": tfds.features.Scalar(np.bool_),
            "number": tfds.features.Scalar(np.float32),
        }
    )
    record = {
        "array": np.array([[1 + 2j, 3], [4, 5]], np.complex64),
        "fixed": np.array([1, 2], np.float32),
        "large": np.arange(5000, dtype=np.float32),  # A length of three bytes.
        "text": "a word, é",
        "size": np.array([1, -2, 3], np.int32),
        "flag": True,
        "number": np.float32(0.1),
    }
    encoded = features.encode_example(record)
    serializer = tfds.core.ExampleSerializer(features.get_serialized_info())
    expected = serializer.get_tf_example(encoded)
    entries = shard_writer.serialize(encoded)
    found = shard_writer.make_example(entries)
    assert found == expected.SerializeToString(deterministic=True)


def test_what_is_neither_number_nor_text_is_refused():
    with pytest.raises((TypeError, AttributeError)):
        shard_writer.serialize({"a": None})


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_count_records(tmp_path, file_format):
    file_format = tfds.core.FileFormat(file_format)
    path = tmp_path / "shard"
    assert shard_writer.count_records(path, file_format) == 0
    writer = shard_writer.RecordWriter(file_format)
    records = [(i, bytes(1 + 1000 * i)) for i in range(4)]
    writer.write(path, records)
    assert shard_writer.count_records(path, file_format) == 4


@pytest.mark.parametrize("lost", [1, 3, 16, 500, 3015])
def test_count_records_of_a_file_that_is_cut_off(tmp_path, lost):
    path = tmp_path / "shard"
    tfrecord = tfds.core.FileFormat.TFRECORD
    writer = shard_writer.RecordWriter(tfrecord)
    writer.write(path, [(i, bytes(1 + 1000 * i)) for i in range(4)])
    path.write_bytes(path.read_bytes()[:-lost])
    assert shard_writer.count_records(path, tfrecord) is None
