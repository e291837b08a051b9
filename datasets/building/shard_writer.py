"""Write one volume into one shard, in this process or in a Beam worker."""

import dataclasses
import json
import os
import pathlib
import uuid

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters
from tensorflow_datasets.core import utils as tfds_utils
from tensorflow_datasets.proto import tf_feature_pb2

from loupe_tf.atomic import naming_disk
from loupe_tf.datasets.building.volume_reader import VolumeReader
from loupe_tf.datasets.tfrecords import record_offsets
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.reading import BadFileError


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """One volume and its shard."""

    split: str
    volume: object
    shard: str
    count: int
    nbytes: int


class RecordWriter(tfds.core.ExampleWriter):
    """Writes array_record files without compression.

    Noise hardly compresses: compression saves a sixth, mostly zeros, but makes
    writing and reading four times as slow.
    """

    def write(self, path, examples):
        if self.file_format != file_adapters.FileFormat.ARRAY_RECORD:
            return super().write(path, examples)
        module = tfds.core.lazy_imports_utils.array_record_module
        writer = module.ArrayRecordWriter(
            os.fspath(path), "group_size:1,uncompressed"
        )
        for _, example in examples:
            writer.write(example)
        writer.close()


@dataclasses.dataclass(frozen=True)
class ShardWriter:
    """Writes the shard of a task, here or in a Beam worker."""

    reader: VolumeReader
    features: tfds.features.FeaturesDict
    writer: RecordWriter
    bad: pathlib.Path  # A folder in which workers report bad volumes.
    stop: bool

    def __call__(self, task):
        if self.stop and any(self.bad.iterdir()):
            return
        shard = pathlib.Path(task.shard)
        # Beam may give a task to two workers.
        part = shard.with_name(f"{shard.name}.{uuid.uuid4().hex}.part")
        try:
            with naming_disk(shard):
                self.writer.write(
                    os.fspath(part), self._serialized(task.volume)
                )
            part.replace(shard)
        except BadVolumeError as error:
            entry = bad_volume_entry(task.split, task.volume, error)
            (self.bad / f"{shard.name}.json").write_text(json.dumps(entry))
        finally:
            part.unlink(missing_ok=True)

    def _serialized(self, volume):
        """Yield pairs for `ExampleWriter`: a running number and bytes."""
        known, entries = {}, {}
        for i, record in enumerate(self.reader(volume)):
            if record.keys() != self.features.keys():
                raise ValueError(
                    f"Invalid record of {volume}. Expected the features "
                    f"{sorted(self.features.keys())}. "
                    f"Received: {sorted(record)}"
                )
            for key, value in record.items():
                # Serialize values that all slices of a volume share only once.
                if known.get(key) is not value:
                    known[key] = value
                    encoded = self.features[key].encode_example(value)
                    entries.update(serialize({key: encoded}))
            yield i, make_example(entries)


def serialize(encoded):
    """Serialize encoded features separately, for `make_example`.

    Args:
        encoded: Dict of the results of the features' `encode_example` for
            scalars, texts and tensors.

    Returns:
        A dict `{name: [bytes, ...]}` of the entries of a
        `tf.train.Features`, in pieces, so that arrays are not copied.
    """
    return {
        name: _field(
            1, *_field(1, name.encode()), *_field(2, *_serialize_value(value))
        )
        for name, value in tfds_utils.flatten_nest_dict(encoded).items()
    }


def make_example(entries):
    """Join the entries of all features to a `tf.train.Example`, as bytes.

    The result equals that of `tfds.core.ExampleSerializer`. It is much faster,
    because it copies arrays only once, and its order is the same in every
    process.
    """
    pieces = [piece for name in sorted(entries) for piece in entries[name]]
    return b"".join(_field(1, *pieces))


def _serialize_value(value):
    """The pieces of a `tf.train.Feature`."""
    if not isinstance(value, bytes):
        value = np.asarray(value)
        feature = tf_feature_pb2.Feature()
        if value.dtype.kind == "f":
            feature.float_list.value.extend(value.ravel().tolist())
            return [feature.SerializeToString()]
        if value.dtype.kind in "iub":
            value = value.ravel().astype(np.int64).tolist()
            feature.int64_list.value.extend(value)
            return [feature.SerializeToString()]
        value = value.item()  # A text, or else an error.
        value = value if isinstance(value, bytes) else value.encode()
    return _field(1, *_field(1, value))  # The value of a `bytes_list`.


def _field(number, *pieces):
    """The pieces of a length-delimited field of a protocol buffer."""
    length = sum(map(len, pieces))
    head = bytearray([number << 3 | 2])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return [head, *pieces]


def bad_volume_entry(split, volume, error):
    """The report's entry for a bad volume."""
    # The error may name a file inside the volume.
    same = error.volume == str(volume)
    reason = error.reason if same else str(error)
    return {"split": split, "volume": str(volume), "reason": reason}


def count_records(shard, file_format):
    """Count the records in a file; `None` if it is truncated."""
    if not os.path.exists(shard):
        return 0
    if file_format != file_adapters.FileFormat.TFRECORD:
        return file_adapters.ADAPTER_FOR_FORMAT[file_format].num_examples(shard)
    try:
        return len(record_offsets(shard))
    except BadFileError:
        return None
