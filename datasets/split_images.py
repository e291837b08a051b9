import struct
import threading

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from loupe_tf.datasets.resize import center_crop_or_pad
from loupe_tf.numpy_fourier import ifft2c


class SplitImages:
    """The images of a split of a TFDS data set, in any order.

    Array_record files are read through TFDS's data source. TFRecord files,
    which TFDS reads in order only, are read here: the lengths that stand
    before their records tell where each one is (checksums are not compared).
    Both ways only what is asked for is read, and TensorFlow is not imported.

    Args:
        builder: A `tfds.core.DatasetBuilder` whose data are prepared.
        split: String, the split or a part of it.
        image_key: String, the feature that holds the images; see `pipeline`.
        size: `None`, or `(H, W)` that images are cropped or padded to.

    Attributes:
        count: Integer, the number of images.
        shape: Tuple `(H, W, C)`, that of each image.
    """

    def __init__(self, builder, split, image_key="image", size=None):
        info = builder.info
        _check_feature(info, image_key)
        self.name = info.full_name
        self.image_key = image_key
        self.size = None if size is None else tuple(size)
        keys = [image_key]
        if image_key == "kspace" and "max" in info.features:
            keys.append("max")
        # Nothing else is decoded. (TFDS's `PartialDecoding` imports
        # TensorFlow.)
        self._features = tfds.features.FeaturesDict(
            {key: info.features[key] for key in keys}
        )

        self.count = info.splits[split].num_examples
        if info.file_format.value == "array_record":
            source = builder.as_data_source(split=split)
            self._records = source.__getitems__
        else:
            self._files = info.splits[split].file_instructions
            ends = np.cumsum([file.take for file in self._files])
            self._begins = np.concatenate([[0], ends]).tolist()
            self._offsets = [None] * len(self._files)
            self._lock = threading.Lock()
            self._records = self._read_tfrecords
        # The first image stands for all of them; where sizes may differ, each
        # is held against it.
        self.shape = None
        self.shape = self.fetch([0]).shape[1:]

    def fetch(self, indices):
        """Read images.

        Args:
            indices: Sequence of integers.

        Returns:
            A float32 array of shape `(len(indices), H, W, C)`.
        """
        records = self._records([int(index) for index in indices])
        images = None
        for i, record in enumerate(records):
            image = self._prepare(record)
            if images is None:
                images = np.empty((len(indices), *image.shape), "float32")
            images[i] = image
        return images

    def _prepare(self, record):
        image = record[self.image_key]
        if self.image_key == "kspace":
            image = ifft2c(image)
            if "max" in record:
                image = image / record["max"]
        if np.iscomplexobj(image):
            image = np.stack([image.real, image.imag], axis=-1)
        image = image.reshape(*image.shape[:2], -1)
        if self.size is not None:
            image = np.moveaxis(image, -1, 0)
            image = center_crop_or_pad(image, self.size)
            image = np.moveaxis(image, 0, -1)
        if self.shape is not None and image.shape != self.shape:
            raise ValueError(
                f"Invalid image in {self.name}. Expected the size of the first "
                f"one, {self.shape[:2]}, or `size` to crop or pad all of them "
                f"to. Received: {image.shape[:2]}"
            )
        return image

    def _read_tfrecords(self, indices):
        for index in indices:
            number = int(np.searchsorted(self._begins, index, "right")) - 1
            file = self._files[number]
            row = file.skip + index - self._begins[number]
            begin, length = self._index(number)[row]
            with epath.Path(file.filename).open("rb") as stream:
                stream.seek(begin)
                serialized = stream.read(length)
            yield self._features.deserialize_example_np(serialized)

    def _index(self, number):
        """Begin and length of each record of a file."""
        with self._lock:
            if self._offsets[number] is None:
                file = self._files[number]
                self._offsets[number] = record_offsets(file.filename)
                found = len(self._offsets[number])
                if found != file.examples_in_shard:
                    raise ValueError(
                        f"Invalid file {file.filename}. Expected "
                        f"{file.examples_in_shard} records. Received: {found}"
                    )
            return self._offsets[number]


def record_offsets(path):
    """Where the records of a TFRecord file are.

    A record is its length (8 bytes, little-endian), 4 bytes of checksum, the
    data, and 4 bytes of checksum. Only the lengths are read.

    Args:
        path: Path of a file that is not compressed.

    Returns:
        A list of pairs of integers, begin and length of the data in bytes.
    """
    path = epath.Path(path)
    size = path.stat().length
    offsets, position = [], 0
    with path.open("rb") as stream:
        while position < size:
            stream.seek(position)
            header = stream.read(8)
            length = struct.unpack("<Q", header)[0] if len(header) == 8 else 0
            following = position + length + 16
            if length == 0 or following > size:
                raise ValueError(
                    f"Invalid file {path}. Expected whole TFRecords. Received: "
                    f"none at byte {position} of {size}"
                )
            offsets.append((position + 12, length))
            position = following
    return offsets


def _check_feature(info, image_key):
    if image_key not in info.features:
        raise ValueError(
            "Invalid value for argument `image_key`. Expected a feature of "
            f"{info.full_name}: {sorted(info.features)}. "
            f"Received: image_key={image_key}"
        )
    feature = info.features[image_key]
    shape, dtype = feature.shape, np.dtype(feature.np_dtype)
    if dtype == np.complex64:
        fits = len(shape) == 2
    else:
        fits = (
            dtype == np.float32
            and image_key != "kspace"
            and len(shape) in (2, 3)
            and shape[2:] in ((), (1,), (2,))
        )
    if not fits:
        raise ValueError(
            "Invalid value for argument `image_key`. Expected images, float32 "
            "of shape (H, W), (H, W, 1) or (H, W, 2), or complex64 of shape "
            "(H, W); or `kspace` of one coil, complex64 of shape (H, W). "
            f"Received: {image_key} of shape {shape} and dtype {dtype}"
        )
