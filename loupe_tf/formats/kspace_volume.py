import contextlib
import math
import pathlib

import numpy as np

from loupe_tf.reading import BadFileError, check_memory, naming

# Number of arrays of the same size that a transform holds in memory.
COPIES = 3


class KspaceVolume(contextlib.AbstractContextManager):
    """K-space of a volume in a file, read slice by slice.

    `load_kspace` returns it. Only the requested slice is in memory, except for
    3-D scans, where the read-out runs through the slices and the whole volume
    is in memory. The size is first compared with
    `loupe_tf.formats.memory_limit`.

    Example:

    ```python
    with loupe_tf.formats.load_kspace("scan.h5") as volume:
        print(volume.shape)  # (slices, coils, H, W)
        kspace = volume[0]  # (coils, H, W)
    ```

    Args:
        path: Path of the file.
        shape: Tuple `(slices, coils, H, W)`.
        read: Callable from the index of a slice to its k-space, complex
            `(coils, H, W)`, with DC at `(H // 2, W // 2)`.
        close: (Optional) callable, called when the volume is closed.
        field_of_view: (Optional) size `(H, W)` of the image in mm.
        slice_spacing: (Optional) distance of the slices in mm, or the slice
            thickness for files that contain only that. Values of some files
            that are not positive count as unknown.
    """

    def __init__(
        self,
        path,
        shape,
        read,
        close=None,
        field_of_view=None,
        slice_spacing=None,
    ):
        self.path = pathlib.Path(path)
        self.shape = tuple(int(n) for n in shape)
        check_memory(path, 8 * math.prod(self.shape[1:]))
        self.field_of_view = _positive(field_of_view)
        self.slice_spacing = _positive(slice_spacing)
        self._read = read
        self._close = close

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, i):
        """Return the k-space of slice `i`, complex64 `(coils, H, W)`.

        Raises:
            BadFileError: If the file is damaged there, or if a sample is not
                finite.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"slice {i} of {len(self)}")
        i %= len(self)
        with (
            naming(self.path, f"k-space of slice {i}"),
            np.errstate(over="ignore"),  # `check_finite` finds overflows.
        ):
            kspace = np.asarray(self._read(i), np.complex64)
        check_finite(self.path, kspace, f" in slice {i}")
        return kspace

    def __exit__(self, *args):
        self.close()

    def close(self):
        """Close the file."""
        if self._close is not None:
            self._close()


def check_finite(path, kspace, where=""):
    """Refuse samples that are not finite.

    Args:
        path: Path of the file.
        kspace: Array.
        where: String, added to the message.
    """
    # Minimum and maximum keep NaN, without a boolean array as large as k-space.
    numbers = kspace.real, kspace.imag
    if not np.isfinite([f(x) for x in numbers for f in (np.min, np.max)]).all():
        raise BadFileError(
            path,
            f"Expected finite samples{where}. Received: "
            f"{np.sum(~np.isfinite(kspace))} that are not",
        )


def _positive(values):
    """Return lengths, or `None` if they are not all known."""
    if values is None:
        return None
    lengths = np.array(values, float)
    known = np.isfinite(lengths).all() and (lengths > 0).all()
    return values if known else None
