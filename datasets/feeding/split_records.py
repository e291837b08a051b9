import bisect
import threading

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.tfrecords import read_record, record_offsets
from loupe_tf.reading import BadFileError, naming


class SplitRecords:
    """Reads the records of a split of a TFDS data set in any order.

    Array_record files are read through TFDS's data source, which compares
    their checksums. TFDS can read TFRecord files only in order, so this class
    reads them itself: the length before each record gives the position of the
    next one. In both cases only the requested records are read, and TensorFlow
    is not imported.

    Args:
        builder: A `tfds.core.DatasetBuilder` whose data are prepared.
        split: String, the split or a part of it.
        keys: List of strings, the features to decode.

    Attributes:
        count: Integer, the number of records.
    """

    def __init__(self, builder, split, keys):
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core import file_adapters

        info = builder.info
        # Decode only these features. (TFDS's `PartialDecoding` imports
        # TensorFlow.)
        self._features = tfds.features.FeaturesDict(
            {key: info.features[key] for key in keys}
        )
        self._expected = f"a record of {info.full_name} with {sorted(keys)}"
        self.count = info.splits[split].num_examples
        if not self.count:
            raise invalid(
                "split",
                f"a split of {info.full_name} with records",
                found=f"split={split!r}, which has no data",
            )
        description = builder.data_path / "dataset_info.json"
        with naming(description, "the description of a TFDS data set"):
            self._files = info.splits[split].file_instructions
        ends = np.cumsum([file.take for file in self._files])
        self._begins = np.concatenate([[0], ends]).tolist()
        # The records of each file, once it has been read.
        self._known = [None] * len(self._files)
        self._lock = threading.Lock()
        self._format = info.file_format
        if self._format == file_adapters.FileFormat.ARRAY_RECORD:
            # The underlying data source returns bytes.
            self._source = builder.as_data_source(split=split).data_source
            self._read = self._read_array_records
        else:
            self._read = self._read_tfrecords

    def fetch(self, indices):
        """Read records.

        Args:
            indices: Sequence of integers.

        Yields:
            A dict of the features of each record.

        Raises:
            BadFileError: If a record is damaged.
        """
        indices = [int(index) for index in indices]
        for index, data in zip(indices, self._read(indices)):
            with self._naming(index):
                yield self._features.deserialize_example_np(data)

    def where(self, index):
        """Return the file of a record, and its index in that file."""
        number = bisect.bisect_right(self._begins, index) - 1
        file = self._files[number]
        return file.filename, file.skip + index - self._begins[number]

    def _naming(self, index):
        path, row = self.where(index)
        return naming(path, f"{self._expected} at {row}, counted from 0")

    def _read_tfrecords(self, indices):
        for index in indices:
            offsets = self._look_at(index, record_offsets)
            path, row = self.where(index)
            yield read_record(path, row, offsets[row])

    def _read_array_records(self, indices):
        for index in indices:
            self._look_at(index, self._count)
        try:
            return self._source.__getitems__(indices)
        except Exception:  # Find the damaged record.
            for index in indices:
                with self._naming(index):
                    self._source[index]
            raise

    def _count(self, path):
        from tensorflow_datasets.core import file_adapters

        with naming(path, f"an {self._format.value} file"):
            adapter = file_adapters.ADAPTER_FOR_FORMAT[self._format]
            return range(adapter.num_examples(path))

    def _look_at(self, index, function):
        """Apply a function once to the file of a record; return the result."""
        number = bisect.bisect_right(self._begins, index) - 1
        with self._lock:
            if self._known[number] is None:
                file = self._files[number]
                known = function(file.filename)
                if len(known) != file.examples_in_shard:
                    raise BadFileError(
                        file.filename,
                        f"Expected {file.examples_in_shard} records. "
                        f"Received: {len(known)}",
                    )
                self._known[number] = known
            return self._known[number]
