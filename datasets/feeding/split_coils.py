import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.feeding.split_records import SplitRecords
from loupe_tf.datasets.resize import center_crop_or_pad
from loupe_tf.numpy_fourier import fft2c, ifft2c
from loupe_tf.reading import BadFileError


class SplitCoils:
    """Reads the k-space of several coils of a TFDS data set in any order.

    Args:
        builder: A `tfds.core.DatasetBuilder` whose data are prepared.
        split: String, the split or a part of it.
        maps: Function of the k-space in the record and the k-space after the
            crop that returns sensitivity maps, such as `CachedMaps`.
        coils: Integer, the number of coils to pad to, or `None` for that of
            the data set.
        size: `None`, or `(H, W)` to crop or pad images to.

    Attributes:
        count: Integer, the number of slices.
        shape: Tuple `(coils, H, W, 2)`, the shape of each slice's k-space.
    """

    def __init__(self, builder, split, maps, coils=None, size=None):
        info = builder.info
        _check_kspace(info)
        self.name = info.full_name
        self.maps = maps
        self.size = size
        keys = ["kspace", "max"] if "max" in info.features else ["kspace"]
        self._records = SplitRecords(builder, split, keys)
        self.count = self._records.count
        if coils is None:
            coils = _most_coils(info)
        if size is None:
            (first,) = self._records.fetch([0])
            size = first["kspace"].shape[1:]
        self.shape = (coils, *size, 2)

    def fetch(self, indices):
        """Read slices.

        Args:
            indices: Sequence of integers.

        Returns:
            Three float32 arrays: k-space and maps, both `(n, coils, H, W, 2)`
            and zero in the coils that a slice does not have, and the combined
            images `(n, H, W, 2)`.

        Raises:
            BadFileError: If a record is damaged, has too many coils, or
                contains NaN or infinity.
            ValueError: If the size of a slice differs from the first one, or
                if its maps cannot be estimated.
        """
        kspace, maps = np.zeros((2, len(indices), *self.shape), "float32")
        combined = np.empty((len(indices), *self.shape[1:]), "float32")
        for i, record in enumerate(self._records.fetch(indices)):
            found = self._prepare(record, indices[i])
            coils = len(found[0])
            kspace[i, :coils], maps[i, :coils], combined[i] = (
                np.stack([x.real, x.imag], axis=-1) for x in found
            )
        return kspace, maps, combined

    def _prepare(self, record, index):
        """Complex k-space, maps and image of a record."""
        stored = record["kspace"]
        # Maps do not depend on the unit, so it is applied last.
        unit = np.float32(record.get("max", 1))
        self._check(stored, unit, index)
        images = ifft2c(stored)
        kspace = stored
        if self.size is not None and stored.shape[1:] != self.size:
            images = center_crop_or_pad(images, self.size)
            kspace = fft2c(images).astype(np.complex64)
        try:
            maps = self.maps(stored, kspace)
        except BadFileError:
            raise
        except ValueError as error:
            path, row = self._records.where(int(index))
            raise ValueError(
                f"{error} (for record {row}, counted from 0, of {path})"
            ) from error
        combined = np.sum(maps.conj() * images, axis=0)
        return kspace / unit, maps, combined / unit

    def _check(self, kspace, unit, index):
        coils, height, width, _ = self.shape
        expected = received = None
        if not np.isfinite(kspace).all():
            expected, received = "finite values", "NaN or infinity in kspace"
        elif len(kspace) > coils:
            expected = f"at most coils={coils} coils"
            received = f"{len(kspace)} coils"
        elif not 0 < unit < np.inf:
            expected, received = "a max above 0", f"max={unit}"
        if expected is not None:
            path, row = self._records.where(int(index))
            raise BadFileError(
                path,
                f"Expected {expected}. Received: {received} of record {row}, "
                "counted from 0",
            )
        if self.size is None and kspace.shape[1:] != (height, width):
            raise ValueError(
                f"Invalid k-space in {self.name}. Expected the size of the "
                f"first slice, {(height, width)}, or a `size` to crop or pad "
                f"all images to. Received: {kspace.shape[1:]}"
            )


def _check_kspace(info):
    feature = dict(info.features.items()).get("kspace")
    shape = getattr(feature, "shape", None)
    if shape is None or len(shape) != 3 or feature.np_dtype != np.complex64:
        raise invalid(
            "source",
            "a data set with k-space of several coils, the feature `kspace`, "
            "complex64 of shape (coils, H, W)",
            found=f"{info.full_name} with {sorted(info.features)}, kspace of "
            f"shape {shape}",
        )


def _most_coils(info):
    """The largest number of coils of a volume in the data set."""
    coils = (info.metadata or {}).get("coils", info.features["kspace"].shape[0])
    if coils is None:
        raise invalid(
            "coils",
            f"the largest number of coils of a volume, as {info.full_name} "
            "does not state it",
            None,
        )
    return coils
