import contextlib
import pathlib

import numpy as np


class KspaceVolume(contextlib.AbstractContextManager):
    """K-space of a volume in a file, read slice by slice.

    What `load_kspace` returns. Only the slice that is asked for is in memory,
    but for the whole volume where a read-out runs through the slices (3-D
    scans).

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
        self.field_of_view = _positive(field_of_view)
        self.slice_spacing = _positive(slice_spacing)
        self._read = read
        self._close = close

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, i):
        """K-space of slice `i`: complex64 `(coils, H, W)`.

        Raises:
            ValueError: If the file is damaged there, or a sample is not finite.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"slice {i} of {len(self)}")
        i %= len(self)
        try:
            kspace = np.asarray(self._read(i), np.complex64)
        except Exception as error:  # Damaged files fail in many ways.
            raise ValueError(
                f"Invalid file {self.path}. Expected k-space of slice {i}. "
                f"Received: {type(error).__name__}: {error}"
            ) from error
        if not np.isfinite(kspace).all():
            raise ValueError(
                f"Invalid file {self.path}. Expected finite samples in slice "
                f"{i}. Received: {np.sum(~np.isfinite(kspace))} that are not"
            )
        return kspace

    def __exit__(self, *args):
        self.close()

    def close(self):
        """Close the file."""
        if self._close is not None:
            self._close()


def _positive(values):
    """Lengths, or `None` where a file has none to tell."""
    return values if values is not None and np.min(values) > 0 else None
