import contextlib
import math
import pathlib

import numpy as np

from loupe_tf.reading import BadFileError, check_memory, naming

# How many arrays of its size the transform of an array takes at once.
COPIES = 3


class KspaceVolume(contextlib.AbstractContextManager):
    """K-space of a volume in a file, read slice by slice.

    What `load_kspace` returns. Only the slice that is asked for is in memory,
    but for the whole volume where a read-out runs through the slices (3-D
    scans). What is in memory at once is compared with
    `loupe_tf.formats.memory_limit` first.

    Example:

    ```python
    with loupe_tf.formats.load_kspace("scan.h5") as volume:
        print(volume.shape)  # (slices, coils, H, W)
        kspace = volume[0]  # (coils, H, W)
    ```

    Args:
        path: Path of the file.
        shape: Tuple `(slices, coils, H, W)`.
        read: Callable from the number of a slice to its k-space, complex
            `(coils, H, W)`, DC at `(H // 2, W // 2)`.
        close: (Optional) callable, called when the volume is closed.
        field_of_view: (Optional) size `(H, W)` of the image in mm.
        slice_spacing: (Optional) distance of the slices in mm. Of files that
            tell the thickness alone, that. What is not positive, which some
            files have in its place, counts as not known.
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
        """K-space of slice `i`: complex64 `(coils, H, W)`.

        Raises:
            BadFileError: If the file is damaged there, or a sample is not
                finite.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"slice {i} of {len(self)}")
        i %= len(self)
        with (
            naming(self.path, f"k-space of slice {i}"),
            np.errstate(over="ignore"),  # It is found by the next.
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
    # Neither passes over a NaN, and no mask as large as k-space is made.
    numbers = kspace.real, kspace.imag
    if not np.isfinite([f(x) for x in numbers for f in (np.min, np.max)]).all():
        raise BadFileError(
            path,
            f"Expected finite samples{where}. Received: "
            f"{np.sum(~np.isfinite(kspace))} that are not",
        )


def _positive(values):
    """Lengths, or `None` where a file has none to tell."""
    if values is None:
        return None
    lengths = np.array(values, float)
    known = np.isfinite(lengths).all() and (lengths > 0).all()
    return values if known else None
