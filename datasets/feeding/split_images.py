import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.feeding.split_records import SplitRecords
from loupe_tf.datasets.resize import center_crop_or_pad
from loupe_tf.numpy_fourier import ifft2c
from loupe_tf.reading import BadFileError


class SplitImages:
    """Reads the images of a split of a TFDS data set in any order.

    Args:
        builder: A `tfds.core.DatasetBuilder` whose data are prepared.
        split: String, the split or a part of it.
        image_key: String, the feature with the images; see `pipeline`.
        size: `None`, or `(H, W)` to crop or pad images to.

    Attributes:
        count: Integer, the number of images.
        shape: Tuple `(H, W, C)`, the shape of each image.
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
        self._records = SplitRecords(builder, split, keys)
        self.count = self._records.count
        # The shape is that of the first image; later images must match it.
        self.shape = None
        self.shape = self.fetch([0]).shape[1:]

    def fetch(self, indices):
        """Read images.

        Args:
            indices: Sequence of integers.

        Returns:
            A float32 array of shape `(len(indices), H, W, C)`.

        Raises:
            BadFileError: If a record is damaged or contains NaN or infinity.
            ValueError: If the size of an image differs from the first one.
        """
        images = None
        for i, record in enumerate(self._records.fetch(indices)):
            image = self._prepare(record)
            self._check_finite(image, indices[i])
            if images is None:
                images = np.empty((len(indices), *image.shape), "float32")
            images[i] = image
        return images

    def _check_finite(self, image, index):
        if not np.isfinite(image).all():
            path, row = self._records.where(int(index))
            raise BadFileError(
                path,
                "Expected finite values. Received: NaN or infinity in "
                f"{self.image_key} of record {row}, counted from 0",
            )

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
                f"one, {self.shape[:2]}, or a `size` to crop or pad all images "
                f"to. Received: {image.shape[:2]}"
            )
        return image


def _check_feature(info, image_key):
    if image_key not in info.features:
        raise invalid(
            "image_key",
            f"a feature of {info.full_name}: {sorted(info.features)}",
            image_key,
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
        raise invalid(
            "image_key",
            "images, float32 of shape (H, W), (H, W, 1) or (H, W, 2), or "
            "complex64 of shape (H, W); or `kspace` of one coil, complex64 "
            "of shape (H, W)",
            found=f"{image_key} of shape {shape} and dtype {dtype}",
        )
