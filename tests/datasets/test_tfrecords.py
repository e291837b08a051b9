import numpy as np
import pytest
import tensorflow as tf

from loupe_tf.datasets.tfrecords import (
    masked_crc32c,
    read_record,
    record_offsets,
)
from loupe_tf.reading import BadFileError

RECORDS = [b"a", b"bcd" * 30, bytes(range(256))]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "data.tfrecord-00000-of-00001"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path


def read_all(path):
    offsets = record_offsets(path)
    return [read_record(path, i, offset) for i, offset in enumerate(offsets)]


def test_checksum_of_the_standard():
    # RFC 3720, B.4: 32 bytes of zeros.
    crc = 0x8A9136AA
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc32c(bytes(32)) == masked


def test_records_that_tensorflow_wrote(path):
    assert read_all(path) == RECORDS


def test_every_flipped_bit_is_found_and_named(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(content), 200, replace=False).tolist():
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(BadFileError, match=path.name):
            read_all(path)


def test_the_record_is_named(path):
    (_, _, (begin, _)) = record_offsets(path)
    damaged = bytearray(path.read_bytes())
    damaged[begin] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(BadFileError, match="record 2, counted from 0, whose d"):
        read_all(path)
